import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeRandom } from "../../src/platform/node.ts";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import { decodeServerFrame, encodeFrame } from "../../src/protocol/wire/codec.ts";
import {
  beatFrame,
  type ClientFrame,
  type ServerFrame,
  type WireMethod,
} from "../../src/protocol/wire/frames.ts";
import { authProtocol } from "../../src/protocol/wire/subprotocols.ts";
import { fromUtf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { eventually, type Served, startServe, temporaryFolder } from "../support/serve.ts";

const secret = "secret-of-the-sockets (tests)".replaceAll(" ", "-");
const authorized = { Authorization: `Bearer ${secret}` };
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let served: Served;

beforeAll(async () => {
  folder = await temporaryFolder();
  served = await startServe(folder.path, ["--isolates", "2"], { WARP_SECRET: secret });
});

afterAll(async () => {
  await served.stop();
  await folder[Symbol.asyncDispose]();
});

/** A socket as Node's own WebSocket has it. */
class Client {
  readonly frames: ServerFrame[] = [];
  readonly texts: string[] = [];
  closedWith: { readonly code: number; readonly reason: string } | undefined;
  isOpen = false;
  /** Whether it says that it takes in what it is sent. */
  reads = true;
  readonly #ws: WebSocket;

  constructor(path: string, protocols = ["warp.v1.json", authProtocol(secret)]) {
    this.#ws = new WebSocket(`${served.url.replace("http", "ws")}${path}`, protocols);
    this.#ws.addEventListener("open", () => {
      this.isOpen = true;
    });
    this.#ws.addEventListener("message", ({ data }) => {
      this.texts.push(String(data));
      const frame = decodeServerFrame(String(data));
      if (frame !== undefined) this.frames.push(frame);
      if (frame?.t === "mark" && this.reads) this.say({ t: "seen", n: frame.n });
    });
    this.#ws.addEventListener("close", ({ code, reason }) => {
      this.closedWith = { code, reason };
    });
  }

  get protocol(): string {
    return this.#ws.protocol;
  }

  say(frame: ClientFrame | string): void {
    this.#ws.send(typeof frame === "string" ? frame : encodeFrame(frame));
  }

  async answer<T extends ServerFrame["t"]>(kind: T): Promise<Extract<ServerFrame, { t: T }>> {
    const of = () => this.frames.find((frame): frame is Extract<ServerFrame, { t: T }> => frame.t === kind);
    await eventually(() => of() !== undefined || this.closedWith !== undefined);
    const found = of();
    if (found === undefined) throw new Error(`no ${kind}: ${JSON.stringify([this.frames, this.closedWith])}`);
    return found;
  }

  close(): void {
    this.#ws.close();
  }
}

async function join(path: string, node: string): Promise<Client> {
  const client = new Client(path);
  expect(await eventually(() => client.isOpen)).toBe(true);
  client.say({ t: "hello", v: 1, node });
  await client.answer("welcome");
  return client;
}

describe("a socket to serve, with Node's own WebSocket", () => {
  test("SB1 pushes of writes through any isolate, in order; calls with bytes; beats", async () => {
    const client = await join("/v1/app/connect?shard=0", "node-of-e2e");
    expect(client.protocol).toBe("warp.v1.json");
    expect(await client.answer("welcome")).toMatchObject({ subject: "admin", resumed: "fresh" });
    for (let at = 0; at < 20; at++) {
      const url = `${served.urls[at % 2]}/v1/app/keys/k${at}`;
      expect((await fetch(url, { method: "PUT", body: `v${at}`, headers: authorized })).status).toBe(201);
    }
    const keys = () =>
      client.frames.flatMap((frame) => (frame.t === "ev" ? frame.es.map(([, , key]) => key) : []));
    expect(await eventually(() => keys().length === 20)).toBe(true);
    expect(keys()).toEqual(Array.from({ length: 20 }, (_, at) => `k${at}`));
    client.say({ t: "call", id: 1, m: "getSpace", a: ["app"] });
    const { r } = await client.answer("ok");
    const { space } = r as { space: { id: string } };
    const scope = { space: "app", shard: 0, spaceId: space.id, registrations: 0 };
    client.say({ t: "call", id: 2, m: "read", a: [{ ...scope, keys: ["k7"] }] });
    expect(await eventually(() => client.frames.some((frame) => frame.t === "ok" && frame.id === 2))).toBe(
      true,
    );
    const read = client.frames.find((frame) => frame.t === "ok" && frame.id === 2);
    const { entries } = (read as { r: { entries: { payload: { bytes: Uint8Array } }[] } }).r;
    expect(fromUtf8(entries[0]?.payload.bytes ?? new Uint8Array())).toBe("v7");
    client.say(beatFrame);
    expect(await eventually(() => client.texts.includes(beatFrame))).toBe(true);
    client.close();
  });

  test("frames of many MiB pass both ways", async () => {
    const client = await join("/v1/big/connect", "node-of-e2e-3");
    const result = async (id: number, m: WireMethod, a: readonly unknown[]) => {
      client.say({ t: "call", id, m, a });
      const of = () => client.frames.find((frame) => frame.t === "ok" && frame.id === id);
      expect(await eventually(() => of() !== undefined || client.closedWith !== undefined, 30_000)).toBe(
        true,
      );
      expect(client.closedWith).toBeUndefined();
      return (of() as { r: unknown }).r;
    };
    const { space } = (await result(1, "createSpace", ["big", {}])) as { space: { id: string } };
    const scope = { space: "big", shard: 0, spaceId: space.id, registrations: 0 };
    const bytes = Uint8Array.from({ length: 1_048_576 }, (_, at) => at % 251);
    const keys = Array.from({ length: 16 }, (_, at) => `k${at}`);
    const opId = (at: number) => scopeOpId("admin", uuidv7({ now: Date.now }, nodeRandom), at);
    const mutations = keys.map((key, at) => ({
      kind: "set" as const,
      opId: opId(at),
      key,
      payload: { bytes, contentType: "a/b" },
    }));
    const { verdicts } = (await result(2, "mutate", [{ ...scope, mutations }])) as { verdicts: unknown[] };
    expect(verdicts).toHaveLength(16);
    const { entries } = (await result(3, "read", [{ ...scope, keys }])) as {
      entries: { payload: { bytes: Uint8Array } }[];
    };
    expect(entries).toHaveLength(16);
    for (const entry of entries) expect(Buffer.compare(entry.payload.bytes, bytes)).toBe(0);
    client.close();
  });

  test("WA7 a node that takes in nothing is sent little, and closed after 10 s; others hear of everything", async () => {
    const [stuck, fine] = [
      await join("/v1/app/connect", "node-stuck"),
      await join("/v1/app/connect", "node-fine"),
    ];
    stuck.reads = false;
    const rounds = 30;
    for (let round = 0; round < rounds; round++) {
      const operations = Array.from({ length: 500 }, (_, at) => ({
        op: "invalidate",
        key: `${round}:${at}:`.padEnd(500, "x"),
      }));
      const batch = await fetch(`${served.url}/v1/app/batch`, {
        method: "POST",
        body: JSON.stringify({ operations }),
        headers: { ...authorized, "Content-Type": "application/json" },
      });
      expect(batch.status).toBe(200);
      await batch.arrayBuffer();
    }
    const entries = (client: Client) =>
      client.frames.reduce((sum, frame) => sum + (frame.t === "ev" ? frame.es.length : 0), 0);
    expect(await eventually(() => entries(fine) === rounds * 500)).toBe(true);
    expect(entries(stuck)).toBeLessThan(3_000);
    expect(await eventually(() => stuck.closedWith !== undefined, 15_000)).toBe(true);
    expect(stuck.closedWith).toMatchObject({ code: 4101 });
    expect(fine.closedWith).toBeUndefined();
    fine.close();
  });

  test("an ack from the future closes with 4005", async () => {
    const client = await join("/v1/app/connect?shard=0", "node-of-e2e-2");
    client.say('{"t":"ack","inv":5}');
    expect(await eventually(() => client.closedWith !== undefined)).toBe(true);
    expect(client.closedWith).toMatchObject({ code: 4005 });
  });

  test("what is refused is refused before the upgrade", async () => {
    for (const [path, protocols] of [
      ["/v1/app/connect", ["warp.v1.json"]],
      ["/v1/app/connect", ["warp.v1.json", authProtocol("another secret")]],
      ["/v1/app/connect", [authProtocol(secret)]],
      ["/v1/app/connect?shard=9", undefined],
      ["/v1/none/connect?shard=1", undefined],
    ] as const) {
      const client = new Client(path, protocols === undefined ? undefined : [...protocols]);
      expect(await eventually(() => client.closedWith !== undefined)).toBe(true);
      expect(client.isOpen, path).toBe(false);
    }
    const plain = await fetch(`${served.url}/v1/app/connect`, { headers: authorized });
    expect(plain.status).toBe(400);
    expect(await plain.json()).toMatchObject({ code: "invalid_argument" });
  });

  test("SE2 a socket ends with its token", async () => {
    const body = { subject: "web", spaces: ["app"], verbs: ["read", "write", "delete"], expiresInMs: 1_500 };
    const minted = await fetch(`${served.url}/tokens`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { ...authorized, "Content-Type": "application/json" },
    });
    const { token } = (await minted.json()) as { token: string };
    const client = new Client("/v1/app/connect", ["warp.v1.json", authProtocol(token)]);
    expect(await eventually(() => client.isOpen)).toBe(true);
    client.say({ t: "hello", v: 1, node: "node-with-token" });
    expect(await client.answer("welcome")).toMatchObject({ subject: "web" });
    // Nothing happens at the shard meanwhile: its alarm ends the session.
    expect(await eventually(() => client.closedWith !== undefined)).toBe(true);
    expect(client.closedWith).toMatchObject({ code: 4003 });
  });
});
