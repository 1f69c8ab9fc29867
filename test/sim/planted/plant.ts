import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Edit, Mutant } from "./mutant.ts";

const root = resolve(import.meta.dirname, "../../..");

/** Throws unless each of the mutant's texts stands in its file exactly once. */
export function checkMutant(mutant: Mutant): void {
  for (const { file, find } of editsOf(mutant)) {
    const times = readFileSync(resolve(root, file), "utf8").split(find).length - 1;
    if (times !== 1)
      throw new Error(`planted bug "${mutant.name}": its text stands ${times} times in ${file}, not once`);
  }
}

function editsOf(mutant: Mutant): readonly Edit[] {
  return [mutant, ...(mutant.also ?? [])];
}

/** Plants a bug in this process: source files loaded from now on have it. Production code has no seam for it. */
export function plant(mutant: Mutant): void {
  checkMutant(mutant);
  const edits = editsOf(mutant).map((edit) => ({
    ...edit,
    url: pathToFileURL(resolve(root, edit.file)).href,
  }));
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (loaded.source === undefined) return loaded;
      const mine = edits.filter((edit) => edit.url === url);
      if (mine.length === 0) return loaded;
      const source = mine.reduce(
        (text, { find, replace }) => text.replace(find, () => replace),
        String(loaded.source),
      );
      return { ...loaded, source };
    },
  });
}
