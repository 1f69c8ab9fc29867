/** An event as `EventSource` hands it to its page. */
export interface StreamEvent {
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

/**
 * The algorithm of the HTML standard for parsing a stream of events, to the letter: bytes to text with a byte order mark taken off and what is not UTF-8 replaced, lines that end
 * in CR LF, LF or CR, fields, dispatch.
 */
export class EventStreamParser {
  readonly #decoder = new TextDecoder("utf-8");
  readonly events: StreamEvent[] = [];
  readonly comments: string[] = [];
  /** The last event id of the event source. */
  lastEventId = "";
  reconnectionMs: number | undefined;
  #line = "";
  #afterCr = false;
  #data = "";
  #type = "";
  #id = "";

  push(bytes: Uint8Array): void {
    for (const sign of this.#decoder.decode(bytes, { stream: true })) {
      const isLfOfCr = this.#afterCr && sign === "\n";
      this.#afterCr = sign === "\r";
      if (isLfOfCr) continue;
      if (sign === "\n" || sign === "\r") this.#endLine();
      else this.#line += sign;
    }
  }

  #endLine(): void {
    const line = this.#line;
    this.#line = "";
    if (line === "") {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) this.comments.push(line.slice(1));
    else if (colon < 0) this.#field(line, "");
    else this.#field(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ""));
  }

  #field(name: string, value: string): void {
    if (name === "event") this.#type = value;
    else if (name === "data") this.#data += `${value}\n`;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^[0-9]+$/.test(value)) this.reconnectionMs = Number(value);
  }

  #dispatch(): void {
    this.lastEventId = this.#id;
    const type = this.#type === "" ? "message" : this.#type;
    const data = this.#data.replace(/\n$/, "");
    const isEmpty = this.#data === "";
    this.#type = "";
    this.#data = "";
    if (!isEmpty) this.events.push({ type, data, lastEventId: this.lastEventId });
  }
}
