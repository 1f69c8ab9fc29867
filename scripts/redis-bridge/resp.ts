import { connect, type Socket } from "node:net";

/** What Redis answers. Strings stay bytes: nothing is lost on their way. */
export type Reply = Buffer | number | null | RespError | readonly Reply[];

/** An error that Redis answered with. */
export class RespError {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

/** One connection in RESP2. Commands may be sent at any time; answers come in their order. */
export class RespConnection {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  /** Takes what comes where nobody waits: messages of subscriptions. */
  readonly #pushed: ((reply: Reply) => void) | undefined;
  #chunks: Buffer[] = [];
  #length = 0;
  /** How many bytes there must be before looking again makes sense. */
  #needed = 1;
  #gone = false;

  /** `ended` hears once that the connection is over, whoever ended it. */
  constructor(path: string, ended: () => void, pushed?: (reply: Reply) => void) {
    this.#pushed = pushed;
    this.#socket = connect({ path });
    this.#socket.on("data", (chunk) => this.#take(chunk));
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => {
      this.#gone = true;
      for (const { reject } of this.#waiting.splice(0)) reject(new Error("the connection to Redis broke"));
      ended();
    });
  }

  /** Sends commands in one piece: nothing of others comes between. */
  send(commands: readonly (readonly (string | Uint8Array)[])[]): Promise<readonly Reply[]> {
    if (this.#gone) return Promise.reject(new Error("there is no connection to Redis"));
    const replies = commands.map(
      () => new Promise<Reply>((resolve, reject) => this.#waiting.push({ resolve, reject })),
    );
    this.#socket.write(Buffer.concat(commands.map(encodeCommand)));
    return Promise.all(replies);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#needed) return;
    const buffer = Buffer.concat(this.#chunks);
    let at = 0;
    for (;;) {
      const read = readReply(buffer, at);
      if (typeof read === "number") {
        this.#needed = read - at;
        break;
      }
      at = read.next;
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#pushed?.(read.reply);
      else waiting.resolve(read.reply);
    }
    this.#chunks = [buffer.subarray(at)];
    this.#length = buffer.length - at;
  }
}

function encodeCommand(words: readonly (string | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === "string" ? Buffer.from(word) : word;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}

/** The reply that begins at `at`; a number: it is not all there, and can't be before the buffer is that long. */
export function readReply(
  buffer: Buffer,
  at: number,
): { readonly reply: Reply; readonly next: number } | number {
  const end = buffer.indexOf("\r\n", at);
  if (end < 0) return buffer.length + 1;
  const line = buffer.toString("latin1", at + 1, end);
  const next = end + 2;
  switch (buffer[at]) {
    case 0x2b: // +
      return { reply: Buffer.from(line, "latin1"), next };
    case 0x2d: // -
      return { reply: new RespError(buffer.toString("utf8", at + 1, end)), next };
    case 0x3a: // :
      return { reply: Number(line), next };
    case 0x24: {
      // $
      const length = Number(line);
      if (length < 0) return { reply: null, next };
      if (buffer.length < next + length + 2) return next + length + 2;
      return { reply: buffer.subarray(next, next + length), next: next + length + 2 };
    }
    case 0x2a: {
      // *
      const count = Number(line);
      if (count < 0) return { reply: null, next };
      const items: Reply[] = [];
      let from = next;
      for (let i = 0; i < count; i++) {
        const item = readReply(buffer, from);
        if (typeof item === "number") return item;
        items.push(item.reply);
        from = item.next;
      }
      return { reply: items, next: from };
    }
    default:
      throw new Error(`no RESP2: ${JSON.stringify(buffer.toString("latin1", at, end))}`);
  }
}
