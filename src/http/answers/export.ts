import { requireKey } from "../../auth/grant.ts";
import { isWarpError } from "../../errors.ts";
import { checkPrefix } from "../../protocol/key.ts";
import { utf8 } from "../../runtime/bytes.ts";
import { maxListLimit } from "../../runtime/limits.ts";
import type { Call } from "../call.ts";
import { writeValue } from "../record.ts";
import { ndjsonHeaders } from "../route.ts";
import { exportQuery } from "../schemas/list.ts";

/** `GET …/export`. */
export async function exportKeys(call: Call): Promise<Response> {
  const { prefix } = call.query(exportQuery);
  checkPrefix(prefix);
  requireKey(call.grant, prefix, "prefix");
  const { warp, callOptions } = call;
  const nextPage = (cursor: string | undefined) =>
    warp.list({
      ...callOptions,
      prefix,
      limit: maxListLimit,
      values: true,
      ...(cursor === undefined ? {} : { cursor }),
    });
  // The first page is read before the answer begins, so that what is wrong with the call is a problem, not a broken stream.
  let page = await nextPage(undefined);
  let done = false;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          // A page may be empty in between; a pull that enqueues nothing would not be called again.
          for (let wrote = false; !wrote && !done; ) {
            let text = "";
            for (const { key, expiresInMs, tags, payload } of page.items) {
              if (payload === undefined) continue;
              const end =
                expiresInMs === undefined ? "" : `"expiresInMs":${Math.max(1, Math.ceil(expiresInMs))},`;
              const tagged = tags === undefined ? "" : `"tags":${JSON.stringify(tags)},`;
              text += `{"key":${JSON.stringify(key)},${end}${tagged}${writeValue(payload)}}\n`;
            }
            if (page.cursor === undefined) done = true;
            else page = await nextPage(page.cursor);
            if (text !== "") {
              controller.enqueue(utf8(text));
              wrote = true;
            }
          }
          if (done) controller.close();
        } catch (error) {
          if (!isWarpError(error)) {
            call.deployment.log.error("an export broke off", { requestId: call.requestId, error });
          }
          // The stream breaks off: an incomplete export must not look like a whole one.
          controller.error(error);
        }
      },
      cancel() {
        done = true;
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, { headers: ndjsonHeaders });
}
