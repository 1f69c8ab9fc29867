import { inject } from "vitest";
import type { BedAddress, BedRequest } from "./bridge.ts";
import type { Fault } from "./faults.ts";

/** What an HTTP answer must have for us; all runtimes' do. */
declare const fetch: (
  url: string,
  init?: { readonly method: string; readonly body?: string },
) => Promise<{ readonly ok: boolean; json(): Promise<unknown>; text(): Promise<string> }>;

const bridge = inject("redisBridge");

/** Why the suites against Redis are skipped here; undefined: they run. */
export const withoutRedis = "missing" in bridge ? bridge.missing : undefined;

/** One empty database behind a REST surface of its own, with what can be done to it. Runs in Node and workerd. */
export class RedisBed {
  readonly url: string;
  readonly token: string;
  readonly #control: string;

  private constructor({ url, token, control }: BedAddress) {
    this.url = url;
    this.token = token;
    this.#control = control;
  }

  static async open(request: BedRequest = {}): Promise<RedisBed> {
    if (!("url" in bridge)) throw new Error(bridge.missing);
    return new RedisBed((await post(`${bridge.url}/beds`, request)) as BedAddress);
  }

  /** Runs `work` with a bed that is gone afterwards. */
  static async with<T>(work: (bed: RedisBed) => Promise<T>, request: BedRequest = {}): Promise<T> {
    const bed = await RedisBed.open(request);
    try {
      return await work(bed);
    } finally {
      await bed.end();
    }
  }

  /** The next requests that fit go wrong so. */
  async fault(fault: Fault): Promise<void> {
    await post(`${this.#control}/fault`, fault);
  }

  async clearFaults(): Promise<void> {
    await post(`${this.#control}/clear`, {});
  }

  /** A command past the surface, as another program would send it. Strings come as bytes. Throws Redis's error. */
  async command(...command: readonly string[]): Promise<unknown> {
    const answer = (await post(`${this.#control}/command`, command)) as { result?: unknown; error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return fromBase64(answer.result);
  }

  /** The same with text instead of bytes. */
  async text(...command: readonly string[]): Promise<unknown> {
    return asText(await this.command(...command));
  }

  /** Requests to the surface so far. */
  async requests(): Promise<number> {
    return ((await post(`${this.#control}/requests`, {})) as { requests: number }).requests;
  }

  /** Those of them whose sender left before the answer. */
  async left(): Promise<number> {
    return ((await post(`${this.#control}/requests`, {})) as { left: number }).left;
  }

  /** The silent end of every subscription. */
  async endStreams(): Promise<void> {
    await post(`${this.#control}/endStreams`, {});
  }

  /** `kill`, `start` or both: of a bed with its own server only. */
  async server(order: "kill" | "start" | "restart"): Promise<void> {
    await post(`${this.#control}/${order}`, {});
  }

  async end(): Promise<void> {
    await post(`${this.#control}/end`, {});
  }
}

async function post(url: string, body: unknown): Promise<unknown> {
  const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${url}: ${await answer.text()}`);
  return await answer.json();
}

function fromBase64(result: unknown): unknown {
  if (Array.isArray(result)) return result.map(fromBase64);
  if (typeof result !== "string" || result === "OK") return result;
  return Uint8Array.from(atob(result), (one) => one.charCodeAt(0));
}

function asText(result: unknown): unknown {
  if (Array.isArray(result)) return result.map(asText);
  return result instanceof Uint8Array ? new TextDecoder().decode(result) : result;
}
