import { once } from "node:events";
import type { CityRecord } from "./cities.ts";
import { answerOf, type Isolate } from "./http.ts";
import { Progress } from "./progress.ts";

/** What an import reported at its end. */
export interface Imported {
  readonly lines: number;
  readonly imported: number;
  readonly failed: number;
}

/** Streams all records into a space, one JSON line each, and follows the report that streams back meanwhile. */
export async function importCities(
  isolate: Isolate,
  space: string,
  records: readonly CityRecord[],
): Promise<Imported> {
  const progress = new Progress("import", records.length);
  const sent = isolate.open("POST", `/v1/${space}/import`, "application/x-ndjson");
  const report = follow(answerOf(sent), (done) => progress.show(done));
  for (let start = 0; start < records.length; start += 500) {
    const lines = records
      .slice(start, start + 500)
      .map(({ key, city }) => `${JSON.stringify({ key, json: city })}\n`)
      .join("");
    // The server takes what it can store; a full buffer says: wait.
    if (!sent.write(lines)) await Promise.race([once(sent, "drain"), report]);
  }
  sent.end();
  const done = await report;
  progress.end();
  return done;
}

/** Reads the report: `progress` lines, `error` lines that name what failed, and one `done` line at the end. */
async function follow(
  answer: ReturnType<typeof answerOf>,
  progress: (imported: number) => void,
): Promise<Imported> {
  let rest = "";
  let done: Imported | undefined;
  for await (const chunk of (await answer).setEncoding("utf8")) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const message = JSON.parse(line) as { progress?: Imported; error?: { line: number }; done?: Imported };
      if (message.progress !== undefined) progress(message.progress.imported);
      if (message.error !== undefined) console.error("\nnot imported:", message.error);
      done = message.done ?? done;
    }
  }
  if (done === undefined) throw new Error(`the import broke off: ${rest}`);
  return done;
}
