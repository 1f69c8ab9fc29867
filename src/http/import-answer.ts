import { isWarpError } from "../errors.ts";
import { utf8 } from "../runtime/bytes.ts";
import { uuidv7 } from "../runtime/ids.ts";
import { importBatchRecords } from "../runtime/limits.ts";
import { checkNdjson } from "./body.ts";
import type { Call } from "./call.ts";
import { refuseFence } from "./fence.ts";
import { Import, lineOpId } from "./importer.ts";
import { ndjsonHeaders } from "./route.ts";

/**
 * The op ids of lines. A caller's own op id gives each line a fixed one, so that a repeated import does nothing twice; without one each chunk
 * gets a fresh one, so that an import may take longer than an op id counts.
 */
function opIds(call: Call): (line: number) => string {
  const { clock, random } = call.deployment;
  if (call.request.headers.has("Warp-Op-Id")) {
    const given = call.takeOpId();
    return (line) => lineOpId(given, line);
  }
  let base = uuidv7(clock, random);
  let count = 0;
  return (line) => {
    if (count++ % importBatchRecords === 0) base = uuidv7(clock, random);
    return lineOpId(base, line);
  };
}

/** `POST …/import`. */
export function runImport(call: Call): Response {
  checkNdjson(call.request);
  refuseFence(call.request.headers);
  const { clock, config, log, timers } = call.deployment;
  const options = { ...call.callOptions, opIdOf: opIds(call) };
  const body = call.request.body as ReadableStream<Uint8Array> | null;
  const onUnexpected = (error: unknown): void =>
    log.error("an import met something unexpected", { requestId: call.requestId, error });
  let running: Import | undefined;
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      // The report is short by its bounds (100 named lines, two progress lines a second), so it never waits for its reader: a client
      // that sends everything before it reads anything would wait for ever.
      const report = (line: object): void => {
        if (running?.cancelled !== true) controller.enqueue(utf8(`${JSON.stringify(line)}\n`));
      };
      const current = new Import({
        ...options,
        warp: call.warp,
        clock,
        timers,
        grant: call.grant,
        maxValueBytes: config.maxValueBytes,
        report,
        onUnexpected,
      });
      running = current;
      const work = async (): Promise<void> => {
        try {
          await current.run(body);
          if (!current.cancelled) controller.close();
        } catch (error) {
          // The body broke off, or something unexpected: the report breaks off too, which no client takes for an end.
          if (!isWarpError(error)) onUnexpected(error);
          if (!current.cancelled) controller.error(error);
        }
      };
      void work();
    },
    cancel() {
      running?.cancel();
    },
  });
  return new Response(stream, { headers: ndjsonHeaders });
}
