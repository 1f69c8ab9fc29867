import { linesOf } from "./lines.ts";

/** An event of a stream, or (without `data`) the news that its position has moved. */
export interface StreamEvent {
  /** The last id that the stream has told; undefined: none yet. */
  readonly id: string | undefined;
  /** Its lines, put together; undefined: there was none. */
  readonly data: string | undefined;
}

/** The events in the bytes of `text/event-stream`, as this server writes it. What was not ended by an empty line is left out, as browsers do. */
export async function* eventsOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  let id: string | undefined;
  let moved = false;
  let data: string[] = [];
  for await (const line of linesOf(chunks)) {
    const [, name = "", value = ""] = /^([^:]*):? ?(.*?)\r?$/s.exec(line) ?? [];
    if (line === "" || line === "\r") {
      if (data.length > 0 || moved) yield { id, data: data.length > 0 ? data.join("\n") : undefined };
      data = [];
      moved = false;
    } else if (name === "data") data.push(value);
    else if (name === "id") {
      id = value;
      moved = true;
    }
  }
}
