import { describe, expect, test } from "vitest";
import { filesIn, importsOf, read, withoutComments } from "./source.ts";

interface Row {
  readonly layer: string;
  readonly part: string;
  readonly parts: readonly string[];
  readonly outside: readonly string[];
}

const layers = ["foundation", "parts", "engine", "edges"];
const rows = table(read("docs/design/layers.md"));
const files = filesIn("src", ".ts").filter((file) => !file.endsWith(".d.ts"));

function table(page: string): Row[] {
  const names = (cell = "") => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");
  return page
    .split("\n")
    .filter((line) => /^\| (foundation|parts|engine|edges) \|/.test(line))
    .map((line) => {
      const [, layer = "", part, parts, outside] = line.split("|").map((cell) => cell.trim());
      return { layer, part: names(part)[0] ?? "", parts: names(parts), outside: names(outside) };
    });
}

/** The row of a file: the one that names it most closely. */
function rowOf(file: string): Row | undefined {
  const path = file.replace(/^src\//, "");
  const matching = rows.filter(({ part }) => {
    const form = part.replace(/[.]/g, "\\.").replace("*", "[^/]+");
    return new RegExp(`^${form}${part.endsWith("/") ? "" : "$"}`).test(path);
  });
  const closeness = ({ part }: Row) =>
    part.split("/").filter(Boolean).length * 2 - (part.includes("*") ? 1 : 0);
  return matching.sort((one, other) => closeness(other) - closeness(one))[0];
}

/** Two files of one row are of one part, unless the row stands for several drivers. */
function samePart(file: string, other: string, row: Row): boolean {
  if (row !== rowOf(other)) return false;
  return !row.part.includes("*") || file.split("/")[2] === other.split("/")[2];
}

describe("docs/design/layers.md", () => {
  test("every file under src has a row, and every row a file", () => {
    expect(files.filter((file) => rowOf(file) === undefined)).toEqual([]);
    const used = new Set(files.map(rowOf));
    const open = rows.filter((row) => !used.has(row) && row.part !== "platform/");
    expect(open.map((row) => row.part)).toEqual([]);
  });

  test("no row names a part of a layer below its own, and none but presets names a driver of another family", () => {
    for (const row of rows) {
      for (const part of row.parts) {
        const other = rows.find((candidate) => candidate.part === part);
        expect(other, `${row.part} names ${part}`).toBeDefined();
        expect(layers.indexOf(other?.layer ?? ""), `${row.part} names ${part}`).toBeLessThanOrEqual(
          layers.indexOf(row.layer),
        );
      }
    }
    expect(
      rows.find(({ part }) => part === "core/")?.parts.filter((part) => part.split("/").length > 2),
    ).toEqual([]);
  });

  test("each import is one that the table allows", () => {
    const wrong: string[] = [];
    for (const file of files) {
      const row = rowOf(file);
      if (row === undefined) continue;
      for (const { from, file: target } of importsOf(file)) {
        const allowed =
          target === undefined
            ? row.outside.includes(from)
            : samePart(file, target, row) || row.parts.includes(rowOf(target)?.part ?? "?");
        if (!allowed) wrong.push(`${file} imports ${from}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("files don't import each other in a circle", () => {
    const done = new Set<string>();
    const walk = (file: string, path: readonly string[]): string[] => {
      if (path.includes(file)) return [[...path.slice(path.indexOf(file)), file].join(" -> ")];
      if (done.has(file)) return [];
      const circles = importsOf(file).flatMap((one) =>
        one.file === undefined ? [] : walk(one.file, [...path, file]),
      );
      done.add(file);
      return circles;
    };
    expect(files.flatMap((file) => walk(file, []))).toEqual([]);
  });

  test("each relative import names a file that is there", () => {
    const missing = files.flatMap((file) =>
      importsOf(file)
        .filter((one) => one.file !== undefined && !files.includes(one.file) && !one.file.endsWith(".d.ts"))
        .map((one) => `${file}: ${one.from}`),
    );
    expect(missing).toEqual([]);
  });

  test("time, timers and randomness are named in platform/ only", () => {
    const named =
      /\b(Date\.now|new Date\(\)|Math\.random|performance\.|setTimeout|setInterval|crypto\.(getRandomValues|randomUUID))/;
    const wrong = files
      .filter((file) => !file.startsWith("src/platform/"))
      .filter((file) => named.test(withoutComments(read(file))));
    expect(wrong).toEqual([]);
  });

  test("the style of the code: no any, no enum, no non-null assertion, no default sleep", () => {
    const wrong = files.flatMap((file) => {
      const code = withoutComments(read(file)).replace(/"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g, '""');
      return [...code.matchAll(/(:\s*any\b|\bas any\b|^\s*(?:export )?(?:const )?enum\b|[\w)\]]!\.)/gm)].map(
        (match) => `${file}: ${match[0].trim()}`,
      );
    });
    expect(wrong).toEqual([]);
  });
});
