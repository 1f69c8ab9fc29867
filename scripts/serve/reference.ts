import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { renderReference } from "../../src/http/page/files.ts";
import { routes } from "../../src/http/routes/index.ts";
import { version } from "../../src/version.ts";

/** Writes the reference to the HTTP routes, as the Worker serves it, into `folder`. */
export async function writeReference(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(renderReference(routes, version))) {
    const file = join(folder, name);
    // Unchanged files stay: a watcher would take a new one for news.
    if ((await readFile(file, "utf8").catch(() => undefined)) !== text) await writeFile(file, text);
  }
}
