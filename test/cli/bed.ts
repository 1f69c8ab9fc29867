import type { CliHost, Output } from "../../src/cli/host.ts";
import { run } from "../../src/cli/run.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { Fetch } from "../../src/runtime/fetch.ts";
import { chunks, silent } from "../client/bed.ts";
import { type VirtualClock, virtualClock } from "../support/virtual-clock.ts";

/** What a command line said and how it ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly bytes: Uint8Array;
  readonly stderr: string;
}

export interface CliBedOptions {
  readonly fetch?: Fetch;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly tty?: boolean;
  readonly spawn?: CliHost["spawn"];
  readonly onSignal?: CliHost["onSignal"];
  /** By default one that stands still. */
  readonly clock?: VirtualClock;
  /** Replaces stdout's own write. */
  readonly write?: Output["write"];
}

/** Runs one command line in a process of nothing but memory. */
export async function warp(argv: readonly string[], options: CliBedOptions = {}): Promise<Ended> {
  const { fetch = silent, env = {}, stdin, files = {}, tty = false } = options;
  const out: Uint8Array[] = [];
  const errors: Uint8Array[] = [];
  const into = (parts: Uint8Array[]): Output => ({
    isTTY: tty,
    write: async (data) => void parts.push(typeof data === "string" ? utf8(data) : data),
  });
  const { clock = virtualClock(1_800_000_000_000) } = options;
  const host: CliHost = {
    env,
    stdin: {
      isTTY: stdin === undefined,
      [Symbol.asyncIterator]: () => chunks(stdin ?? "")[Symbol.asyncIterator](),
    },
    stdout: options.write === undefined ? into(out) : { isTTY: tty, write: options.write },
    stderr: into(errors),
    async *openFile(path) {
      const file = files[path];
      if (file === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
      yield* chunks(file);
    },
    spawn:
      options.spawn ??
      (() => ({
        ended: Promise.resolve(127),
        trouble: () => undefined,
        kill: () => undefined,
        leaves: () => false,
      })),
    onSignal: options.onSignal ?? (() => () => undefined),
    fetch,
    clock,
    elapsed: clock,
    timers: clock,
    random: { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) },
  };
  const code = await run(argv, host);
  const bytes = new Uint8Array(Buffer.concat(out));
  return { code, bytes, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(errors).toString() };
}

/** A request as the command line sent it. */
export interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

/** A server that answers everything with one JSON document and keeps what was asked. */
export function recorder(answer: unknown, status = 200) {
  const sent: Sent[] = [];
  const fetch: Fetch = async (url, { method, headers, body }) => {
    const text = body instanceof Uint8Array ? Buffer.from(body).toString() : undefined;
    sent.push({
      method,
      url,
      headers,
      body: headers["Content-Type"] === "application/json" && text ? JSON.parse(text) : text,
    });
    const type = status < 300 ? "application/json" : "application/problem+json";
    return new Response(JSON.stringify(answer), { status, headers: { "Content-Type": type } });
  };
  return { fetch, sent };
}
