import { allowsPattern, requireKey } from "../../auth/grant.ts";
import { WarpError } from "../../errors.ts";
import { checkPattern } from "../../protocol/key.ts";
import { utf8 } from "../../runtime/bytes.ts";
import { maxNamedImportErrors } from "../../runtime/limits.ts";
import type { Call } from "../call.ts";
import type { SpaceWarp } from "../deployment.ts";
import { errorData } from "../problem.ts";
import { ndjsonHeaders } from "../route.ts";
import { warmupBody } from "../schemas/warmup.ts";

/** `POST …/warmup`. */
export async function startWarmup(call: Call): Promise<Response> {
  const { patterns, width, limit } = await call.body(warmupBody, { whenEmpty: {} });
  if (patterns === undefined) requireKey(call.grant, "", "space");
  for (const pattern of patterns ?? []) {
    checkPattern(pattern);
    if (!allowsPattern(call.grant, pattern)) {
      throw new WarpError("forbidden", "a pattern lies outside the token's key prefixes");
    }
  }
  const stop = new AbortController();
  const progress = call.warp.warmup({
    ...(patterns === undefined ? {} : { patterns }),
    ...(width === undefined ? {} : { width }),
    ...(limit === undefined ? {} : { limit }),
    signal: stop.signal,
  });
  const lines = report(progress);
  // What is wrong with the call shows before its first step is done: a problem then, not a stream that breaks off.
  const first = await lines.next();
  let next: typeof first | undefined = first;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const line = next ?? (await lines.next());
          next = undefined;
          if (line.done === true) controller.close();
          else controller.enqueue(utf8(`${JSON.stringify(line.value)}\n`));
        } catch (error) {
          if (errorData(error).code === "internal") {
            call.deployment.log.error("a warmup broke off", { requestId: call.requestId, error });
          }
          // A report without its last line is one that broke off.
          controller.error(error);
        }
      },
      async cancel() {
        stop.abort();
        await lines.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, { headers: ndjsonHeaders });
}

/** The lines of a report: each failing key up to a bound, how far it is, and how it ended. */
async function* report(progress: ReturnType<SpaceWarp["warmup"]>): AsyncGenerator<object, void> {
  let named = 0;
  let counts: object = { loaded: 0, failed: 0 };
  for await (const { loaded, failed, total, errors } of progress) {
    for (const error of errors) if (named++ < maxNamedImportErrors) yield { error };
    counts = { loaded, failed, ...(total === undefined ? {} : { total }) };
    yield { progress: counts };
  }
  yield { done: counts };
}
