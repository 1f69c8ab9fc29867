import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { connectShard } from "../../src/objects/connect.ts";
import type { WarpShard, WarpShardEnv } from "../../src/objects/warp-shard.ts";
import { workersClock, workersRandom } from "../../src/platform/workers.ts";
import { isRefusal, type Mutation, type Refusal, scopeOpId } from "../../src/protocol/shard-api.ts";
import { shardName } from "../../src/protocol/space.ts";
import type { Caller } from "../../src/protocol/wire/caller.ts";
import { decodeServerFrame, encodeFrame } from "../../src/protocol/wire/codec.ts";
import { beatFrame, type ClientFrame, type ServerFrame } from "../../src/protocol/wire/frames.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import worker from "../../src/worker.ts";

const bindings = env as unknown as Parameters<typeof worker.fetch>[1] & WarpShardEnv;
const shards = bindings.SHARDS;
let spaces = 0;

function reply<T extends object>(answer: T | Refusal): Exclude<T, Refusal> {
  if (isRefusal(answer)) throw new Error(`refused: ${answer.refused.code}`);
  return answer as Exclude<T, Refusal>;
}

async function newSpace() {
  const space = `connect-${spaces++}`;
  const stub = () => shards.get(shards.idFromName(shardName(space, 0)));
  const made = reply(await stub().createSpace(space, {}));
  const scope = { space, shard: 0, spaceId: made.space.id, registrations: 0 };
  const set = async (key: string) => reply(await stub().mutate({ ...scope, mutations: [put(key)] }));
  return { space, stub, scope, set };
}

const put = (key: string): Mutation => ({
  kind: "set",
  opId: scopeOpId("test", uuidv7(workersClock, workersRandom)),
  key,
  payload: { bytes: utf8("value"), contentType: "text/plain" },
});

/** Waits for what other parts bring about; long, for a busy machine. */
const until = (fine: () => boolean | Promise<boolean>) =>
  vi.waitUntil(fine, { timeout: 10_000, interval: 10 });

/** A client's end, with what it has heard. */
class Client {
  readonly frames: (ServerFrame | undefined)[] = [];
  readonly texts: string[] = [];
  closedWith: { readonly code: number; readonly reason: string } | undefined;
  readonly #ws: WebSocket;

  constructor(response: Response) {
    const ws = response.webSocket;
    if (response.status !== 101 || ws === null) throw new Error(`no socket: ${response.status}`);
    this.#ws = ws;
    ws.addEventListener("message", ({ data }) => {
      this.texts.push(String(data));
      this.frames.push(decodeServerFrame(String(data)));
    });
    ws.addEventListener("close", ({ code, reason }) => {
      this.closedWith = { code, reason };
    });
    ws.accept();
  }

  static async open(space: string, caller: Partial<Caller> = {}): Promise<Client> {
    const made = {
      space,
      shard: 0,
      subject: "test",
      invalidates: true,
      locks: true,
      isAdmin: false,
      ...caller,
    };
    return new Client(await connectShard(bindings, made));
  }

  static async join(space: string, caller: Partial<Caller> = {}): Promise<Client> {
    const client = await Client.open(space, caller);
    client.say({ t: "hello", v: 1, node: "node-of-a-test" });
    await until(() => client.of("welcome").length > 0);
    return client;
  }

  say(frame: ClientFrame | string): void {
    this.#ws.send(typeof frame === "string" ? frame : encodeFrame(frame));
  }

  close(): void {
    this.#ws.close(1000, "bye");
  }

  of<T extends ServerFrame["t"]>(kind: T): Extract<ServerFrame, { t: T }>[] {
    return this.frames.filter((frame): frame is Extract<ServerFrame, { t: T }> => frame?.t === kind);
  }

  /** Keys that were pushed, in order. */
  keys(): string[] {
    return this.of("ev").flatMap(({ es }) => es.map(([, , key]) => key));
  }
}

describe("sockets of a shard's object", () => {
  it("welcome, pushes of writes over RPC, and calls with bytes", async () => {
    const { space, scope, set } = await newSpace();
    const client = await Client.join(space, { zone: "DFW" });
    await set("a");
    await until(() => client.keys().length === 1);
    client.say({ t: "call", id: 1, m: "read", a: [{ ...scope, keys: ["a", "b"] }] });
    await until(() => client.of("ok").length === 1);
    expect(client.of("ok")).toMatchObject([
      { id: 1, r: { entries: [{ key: "a", payload: { bytes: utf8("value") } }, null] } },
    ]);
    client.say({ t: "call", id: 2, m: "mutate", a: [{ ...scope, mutations: [put("b")] }] });
    await until(() => client.keys().length === 2 && client.of("ok").length === 2);
    expect(client.keys()).toEqual(["a", "b"]);
  });

  it("a call that waits holds no other one up", async () => {
    const { space, scope, stub } = await newSpace();
    const client = await Client.join(space);
    await stub().claimLoad({ ...scope, key: "k", holder: "other", ttlMs: 60_000, waitMs: 0 });
    const claim = { ...scope, key: "k", holder: "me", ttlMs: 1_000, waitMs: 20_000 };
    client.say({ t: "call", id: 1, m: "claimLoad", a: [claim] });
    client.say({ t: "call", id: 2, m: "read", a: [{ ...scope, keys: ["a"] }] });
    client.say({ t: "ping", id: 3 });
    await until(() => client.of("ok").length === 1 && client.of("pong").length === 1);
    expect(client.of("ok")).toMatchObject([{ id: 2 }]);
    await stub().claimLoad({ ...scope, key: "k", holder: "other", ttlMs: 1_000, waitMs: 0, release: true });
    await until(() => client.of("ok").length === 2);
  });

  it("WA8 SB1 sockets outlive a hibernation: nothing twice, nothing missed, calls and acks go on", async () => {
    const { space, scope, stub, set } = await newSpace();
    const clients = [await Client.join(space), await Client.join(space), await Client.join(space)];
    await set("a");
    await until(() => clients.every((client) => client.keys().length === 1));
    for (const key of ["b", "c"]) {
      await evictDurableObject(stub());
      await set(key);
      await until(() => clients.every((client) => client.keys().includes(key)));
    }
    await evictDurableObject(stub());
    clients[0]?.say({ t: "call", id: 1, m: "read", a: [{ ...scope, keys: ["a"] }] });
    await until(() => clients[0]?.of("ok").length === 1);
    for (const client of clients) {
      // At most what the position in the attachment is behind comes again; here each push was kept or is the only one since.
      expect([...new Set(client.keys())]).toEqual(["a", "b", "c"]);
      let at = client.of("welcome")[0]?.revision ?? -1;
      for (const { after, to } of client.of("ev")) {
        expect(after).toBeLessThanOrEqual(at);
        at = to;
      }
      expect(client.of("gap")).toEqual([]);
      expect(client.closedWith).toBeUndefined();
    }
  });

  it("WA8 beats are answered without waking the object", async () => {
    const { space, stub } = await newSpace();
    const client = await Client.join(space);
    await evictDurableObject(stub());
    client.say(beatFrame);
    await until(() => client.texts.includes(beatFrame));
    const seen = await runInDurableObject(stub(), (_: WarpShard, state) => {
      const [ws] = state.getWebSockets();
      return ws === undefined ? null : state.getWebSocketAutoResponseTimestamp(ws);
    });
    expect(seen).toBeInstanceOf(Date);
  });

  it("bad frames close with their code, and the object lives on", async () => {
    const { space, set } = await newSpace();
    const bystander = await Client.join(space);
    for (const [frame, code] of [
      ["{", 4000],
      ['{"t":"ack","inv":1}', 4005],
      ['{"t":"hello","v":1,"node":"node-again"}', 4000],
    ] as const) {
      const client = await Client.join(space);
      client.say(frame);
      await until(() => client.closedWith !== undefined);
      expect(client.closedWith?.code).toBe(code);
      expect(client.closedWith?.reason).toMatch(/^invalid_frame: /);
    }
    await set("a");
    await until(() => bystander.keys().length === 1);
  });

  it("a client that closes is no member any more", async () => {
    const { space, stub } = await newSpace();
    const client = await Client.join(space);
    const open = () =>
      runInDurableObject(
        stub(),
        (_: WarpShard, state) => state.getWebSockets().filter(({ readyState }) => readyState === 1).length,
      );
    expect(await open()).toBe(1);
    client.close();
    await until(async () => (await open()) === 0);
  });

  it("the attachment of a session stays far below what a socket can keep", async () => {
    const { space, stub } = await newSpace();
    await Client.join(space, { subject: "s".repeat(128), zone: "z".repeat(64) });
    const size = await runInDurableObject(
      stub(),
      (_: WarpShard, state) => JSON.stringify(state.getWebSockets()[0]?.deserializeAttachment()).length,
    );
    expect(size).toBeLessThan(2_048);
  });

  it("SE4 the object takes no socket that a Worker did not let in", async () => {
    const { stub } = await newSpace();
    const bare = await stub().fetch("https://shard/connect", { headers: { Upgrade: "websocket" } });
    expect(bare.status).toBe(400);
  });
});

describe("GET /v1/{space}/connect through the Worker", () => {
  it("opens a socket with the subprotocol, and the node works over it", async () => {
    const { space, set } = await newSpace();
    const headers = { Upgrade: "websocket", "Sec-WebSocket-Protocol": "warp.v1.json, warp.auth.none" };
    const request = new Request(`http://localhost/v1/${space}/connect?shard=0`, { headers });
    const response = await worker.fetch(request as Parameters<typeof worker.fetch>[0], bindings);
    expect(response.status).toBe(101);
    expect(response.headers.get("Sec-WebSocket-Protocol")).toBe("warp.v1.json");
    const client = new Client(response);
    client.say({ t: "hello", v: 1, node: "node-over-http" });
    await until(() => client.of("welcome").length === 1);
    expect(client.of("welcome")).toMatchObject([{ subject: "open" }]);
    await set("a");
    await until(() => client.keys().length === 1);
  });

  it("a space that does not exist is made over its shard 0; its other shards are not there", async () => {
    const space = `connect-${spaces++}`;
    const headers = { Upgrade: "websocket", "Sec-WebSocket-Protocol": "warp.v1.json" };
    const ask = async (shard: number) => {
      const request = new Request(`http://localhost/v1/${space}/connect?shard=${shard}`, { headers });
      return await worker.fetch(request as Parameters<typeof worker.fetch>[0], bindings);
    };
    const early = await ask(1);
    expect(early.status).toBe(404);
    expect(await early.json()).toMatchObject({ code: "space_not_found" });
    const client = new Client(await ask(0));
    client.say({ t: "hello", v: 1, node: "node-over-http" });
    client.say({ t: "call", id: 1, m: "getSpace", a: [space] });
    client.say({ t: "call", id: 2, m: "createSpace", a: [space, { shards: 2 }] });
    await until(() => client.of("ok").length === 2);
    expect(client.of("ok")).toMatchObject([
      { id: 1, r: { refused: { code: "space_not_found" } } },
      { id: 2, r: { created: true } },
    ]);
    expect((await ask(1)).status).toBe(101);
    const beyond = await ask(2);
    expect(await beyond.json()).toMatchObject({ code: "invalid_argument", details: { field: "shard" } });
  });
});
