import { createApp } from "../../src/http/app.ts";
import type { Deployment } from "../../src/http/deployment.ts";
import { standalone } from "../../src/presets/standalone.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { virtualClock } from "../support/virtual-clock.ts";
import { config, problemOf, secret } from "./bed.ts";
import { FakeSpaces } from "./fake-warp.ts";

/** A success: its status, and the members of its JSON. */
export type Done = { readonly status: number } & Readonly<Record<string, unknown>>;

/** Longest stretch of time in which no request gets any further. */
const stepMs = 1_000;

/** An app over the real core with locks and leases in memory, on a clock that a test moves. */
export function lockBed() {
  const clock = virtualClock(1_800_000_000_000);
  const random = { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) };
  const host = { clock, timers: clock, random };
  const warp = standalone({
    host: { ...host, background: { run: (work) => void work.catch(() => undefined) } },
    registrations: [{ pattern: "n:*", options: { merge: "sum" } }],
  });
  const deployment: Deployment = {
    warp: () => warp,
    spaces: new FakeSpaces(),
    config: config(),
    clock,
    random,
    log: { error: (message, facts) => console.error(message, facts) },
  };
  const app = createApp(deployment);
  const send = async (
    method: string,
    path: string,
    body?: unknown,
    { bearer = secret, ...headers }: Readonly<Record<string, string>> = {},
  ): Promise<Response> =>
    await app.request(`http://localhost/v1/s/${path}`, {
      method,
      headers: { Authorization: `Bearer ${bearer}`, "Content-Type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  /** Requests take turns of the host's own, which no virtual clock moves: all that are under way get to where only time helps. */
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  };
  return {
    app,
    clock,
    turns,
    /** Moves time on in small steps, and lets everything run between them. */
    async advance(ms: number): Promise<void> {
      await turns();
      for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
        await clock.advance(Math.min(stepMs, leftMs));
        await turns();
      }
    },
    random,
    warp,
    send,
    newOpId: () => uuidv7(clock, random),
    /** The JSON of a success. */
    async done(...asked: Parameters<typeof send>): Promise<Done> {
      const response = await send(...asked);
      if (response.status >= 300) throw new Error(JSON.stringify(await problemOf(response)));
      return { status: response.status, ...((await response.json()) as Record<string, unknown>) };
    },
    /** The problem of a refusal. */
    async refused(...asked: Parameters<typeof send>) {
      return await problemOf(await send(...asked));
    },
  };
}
