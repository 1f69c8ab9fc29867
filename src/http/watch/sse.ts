import { utf8 } from "../../runtime/bytes.ts";
import type { Watch } from "../../watchbus/watchbus.ts";
import { problemFacts } from "../problem.ts";
import { ndjsonHeaders } from "../route.ts";
import { itemText } from "./item-text.ts";
import type { Told } from "./told.ts";

/** Headers of a stream of events. */
export const eventStreamHeaders = { ...ndjsonHeaders, "Content-Type": "text/event-stream" };

/**
 * A watch as server-sent events: `event` is the kind, `id` the cursor where there is one, `data` a line of JSON. The first thing said is the cursor, and it is said again
 * where nothing but the position has moved, so that a client resumes without ever having had an event (rule WA3).
 */
export function eventStream(
  watch: Pick<Watch, "cursor" | "end">,
  told: AsyncGenerator<Told, void, void>,
  options: { readonly requestId: string; readonly retryMs: number },
): ReadableStream<Uint8Array> {
  let isLeft = false;
  let id: string | undefined;
  const idLine = (cursor: string | undefined): string => {
    if (cursor === undefined || cursor === id) return "";
    id = cursor;
    return `id: ${cursor}\n`;
  };
  const event = (kind: string, cursor: string | undefined, data: string): string =>
    `event: ${kind}\n${idLine(cursor)}data: ${data}\n\n`;
  const text = (one: Told): string => {
    switch (one.kind) {
      case "items":
        return one.items.map((item) => event(item.kind, item.cursor, itemText(item))).join("");
      case "idle":
        return `${idLine(watch.cursor)}: keep-alive\n\n`;
      case "rotate":
        return event("rotate", undefined, '{"kind":"rotate"}');
      case "end":
        return event(
          "end",
          undefined,
          JSON.stringify({ kind: "end", ...problemFacts(one.error, options.requestId) }),
        );
    }
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        controller.enqueue(utf8(`retry: ${options.retryMs}\n${idLine(watch.cursor)}\n`));
      },
      async pull(controller) {
        const { value, done } = await told.next();
        if (isLeft) return;
        if (done === true) controller.close();
        else controller.enqueue(utf8(text(value)));
      },
      // Nobody reads any more: the client has gone, or can't be written to.
      async cancel() {
        isLeft = true;
        watch.end();
        await told.return();
      },
    },
    { highWaterMark: 0 },
  );
}
