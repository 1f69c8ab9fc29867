import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Mutant } from "./mutant.ts";

const root = resolve(import.meta.dirname, "../../..");

/** Throws unless the mutant's text stands in its file exactly once. */
export function checkMutant({ name, file, find }: Mutant): void {
  const times = readFileSync(resolve(root, file), "utf8").split(find).length - 1;
  if (times !== 1)
    throw new Error(`planted bug "${name}": its text stands ${times} times in ${file}, not once`);
}

/** Plants a bug in this process: source files loaded from now on have it. Production code has no seam for it. */
export function plant(mutant: Mutant): void {
  checkMutant(mutant);
  const target = pathToFileURL(resolve(root, mutant.file)).href;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (url !== target || loaded.source === undefined) return loaded;
      return { ...loaded, source: String(loaded.source).replace(mutant.find, () => mutant.replace) };
    },
  });
}
