import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/** The project's folder. */
export const root = resolve(import.meta.dirname, "../..");

/** The text of a file of the project. */
export function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** Paths of all files below `folder`, relative to the project, sorted. */
export function filesIn(folder: string, ending = ""): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

/** TypeScript without comments, and with the insides of strings kept: what is left is code. */
export function withoutComments(source: string): string {
  return source.replace(
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (_, text: string | undefined) => text ?? "",
  );
}

/** One import, re-export, dynamic import or import type. */
export interface Import {
  /** As written. */
  readonly from: string;
  /** Path of the file it names, relative to the project; undefined for a package or host module. */
  readonly file: string | undefined;
}

/** All that `path` imports. */
export function importsOf(path: string): Import[] {
  const code = withoutComments(read(path));
  const found = code.matchAll(
    /(?:^|[\s;}])(?:import|export)\s+(?:type\s+)?(?:[\w*{][^;"'`=()]*?\sfrom\s*)?"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/g,
  );
  return [...found].map((match) => {
    const from = match[1] ?? match[2] ?? "";
    return { from, file: from.startsWith(".") ? join(dirname(path), from) : undefined };
  });
}
