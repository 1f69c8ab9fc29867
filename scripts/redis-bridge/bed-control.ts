import type { BedAddress, Recorded } from "./bed-state.ts";
import type { Fault } from "./faults.ts";

/** What an HTTP answer must have for us; all runtimes' do. */
declare const fetch: (
  url: string,
  init?: { readonly method: string; readonly body?: string },
) => Promise<{ readonly ok: boolean; json(): Promise<unknown>; text(): Promise<string> }>;

/** What can be done to a bed, by HTTP: from Node, from workerd, from another process. */
export class BedControl {
  readonly url: string;
  readonly token: string;
  /** Where orders are taken. */
  readonly control: string;

  constructor({ url, token, control }: BedAddress) {
    this.url = url;
    this.token = token;
    this.control = control;
  }

  /** The next requests that fit go wrong so. */
  async fault(fault: Fault): Promise<void> {
    await post(`${this.control}/fault`, fault);
  }

  async clearFaults(): Promise<void> {
    await post(`${this.control}/clear`, {});
  }

  /** A command past the surface, as another program would send it. Strings come as bytes. Throws Redis's error. */
  async command(...command: readonly string[]): Promise<unknown> {
    const answer = (await post(`${this.control}/command`, command)) as { result?: unknown; error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return fromBase64(answer.result);
  }

  /** The same with text instead of bytes. */
  async text(...command: readonly string[]): Promise<unknown> {
    return asText(await this.command(...command));
  }

  /** Requests to the surface so far. */
  async requests(): Promise<number> {
    return ((await post(`${this.control}/requests`, {})) as { requests: number }).requests;
  }

  /** Those of them whose sender left before the answer. */
  async left(): Promise<number> {
    return ((await post(`${this.control}/requests`, {})) as { left: number }).left;
  }

  /** Keeps what is carried out from now on; forgets what was kept. */
  async record(): Promise<void> {
    await post(`${this.control}/record`, {});
  }

  /** What was carried out since, in Redis's order. */
  async recorded(): Promise<readonly Recorded[]> {
    return (await post(`${this.control}/recorded`, {})) as readonly Recorded[];
  }

  /** Notes each command that Redis carries out from now on, those of scripts, too; until it is killed. Of a bed with its own server. */
  async monitor(): Promise<void> {
    await post(`${this.control}/monitor`, {});
  }

  /** What was noted, in Redis's own words. */
  async monitored(): Promise<readonly string[]> {
    return (await post(`${this.control}/monitored`, {})) as readonly string[];
  }

  /** The silent end of every subscription. */
  async endStreams(): Promise<void> {
    await post(`${this.control}/endStreams`, {});
  }

  /** `kill`, `start` or both: of a bed with its own server only. */
  async server(order: "kill" | "start" | "restart"): Promise<void> {
    await post(`${this.control}/${order}`, {});
  }

  async end(): Promise<void> {
    await post(`${this.control}/end`, {});
  }
}

/** Sends an order to a bridge. Throws what it says against it. */
export async function post(url: string, body: unknown): Promise<unknown> {
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
