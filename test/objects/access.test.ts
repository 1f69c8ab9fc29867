import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { connectShard, redeemToken } from "../../src/objects/connect.ts";
import type { WarpShardEnv } from "../../src/objects/warp-shard.ts";
import { shardName } from "../../src/protocol/space.ts";
import type { Caller } from "../../src/protocol/wire/caller.ts";
import { decodeServerFrame, encodeFrame } from "../../src/protocol/wire/codec.ts";
import type { ClientFrame, ServerFrame } from "../../src/protocol/wire/frames.ts";
import { maxPendingSessions, maxSubscriptionsPerSession } from "../../src/runtime/limits.ts";
import worker from "../../src/worker.ts";

const bindings = env as unknown as Parameters<typeof worker.fetch>[1] & WarpShardEnv;
const { SHARDS } = bindings;
let spaces = 0;

const until = (fine: () => boolean) => vi.waitUntil(fine, { timeout: 10_000, interval: 10 });
const stubOf = (space: string) => SHARDS.get(SHARDS.idFromName(shardName(space, 0)));

async function newSpace(): Promise<string> {
  const space = `access-${spaces++}`;
  const made = await stubOf(space).createSpace(space, {});
  if ("refused" in made) throw new Error(made.refused.message);
  return space;
}

/** A page's end. */
class Page {
  readonly frames: ServerFrame[] = [];
  closedWith: { readonly code: number; readonly reason: string } | undefined;
  readonly #ws: WebSocket;

  constructor({ status, webSocket }: Response) {
    if (status !== 101 || webSocket === null) throw new Error(`no socket: ${status}`);
    this.#ws = webSocket;
    webSocket.addEventListener("message", ({ data }) => {
      const frame = decodeServerFrame(typeof data === "string" ? data : new Uint8Array(data));
      if (frame !== undefined) this.frames.push(frame);
    });
    webSocket.addEventListener("close", ({ code, reason }) => {
      this.closedWith = { code, reason };
    });
    webSocket.accept();
  }

  static async open(space: string, caller: Partial<Caller> = {}): Promise<Page> {
    const made = { space, shard: 0, subject: "web", invalidates: false, locks: false, isAdmin: false };
    return new Page(await connectShard(bindings, { ...made, follows: false, ...caller }));
  }

  static async join(space: string, caller: Partial<Caller> = {}): Promise<Page> {
    const page = await Page.open(space, caller);
    page.say(hello);
    await until(() => page.of("welcome").length > 0);
    return page;
  }

  say(frame: ClientFrame | string | Uint8Array): void {
    this.#ws.send(typeof frame === "string" || frame instanceof Uint8Array ? frame : encodeFrame(frame));
  }

  of<T extends ServerFrame["t"]>(kind: T): Extract<ServerFrame, { t: T }>[] {
    return this.frames.filter((frame): frame is Extract<ServerFrame, { t: T }> => frame.t === kind);
  }
}

const hello: ClientFrame = { t: "hello", v: 1, node: "a-page-of-a-test", follow: false };
const pending: Partial<Caller> = { subject: "", isPending: true };

describe("WA9 tokens at an object", () => {
  it("a socket brings its token in the first frame; the Worker's own secrets judge it", async () => {
    const space = await newSpace();
    const page = await Page.open(space, pending);
    page.say({ t: "auth", id: 1, token: "whatever: the deployment is open" });
    page.say(hello);
    await until(() => page.of("welcome").length > 0);
    expect(page.frames).toMatchObject([
      { t: "ok", id: 1, r: {} },
      { t: "welcome", subject: "open", shards: 1, leaseMs: 0 },
    ]);
  });

  it("SE3 the 65th that has brought none is closed where it is: nobody unknown takes room at other objects", async () => {
    const space = await newSpace();
    const pages = await Promise.all(
      Array.from({ length: maxPendingSessions }, () => Page.open(space, pending)),
    );
    const late = await Page.open(space, pending);
    await until(() => late.closedWith !== undefined);
    expect(late.closedWith).toMatchObject({ code: 4100, reason: expect.stringContaining("tokens") });
    expect(pages.filter(({ closedWith }) => closedWith !== undefined)).toEqual([]);
    expect((await Page.join(space)).closedWith).toBeUndefined();
    pages[0]?.say({ t: "auth", id: 1, token: "whatever" });
    await until(() => pages[0]?.of("ok").length === 1);
    const next = await Page.open(space, pending);
    next.say({ t: "auth", id: 1, token: "whatever" });
    await until(() => next.of("ok").length === 1);
  });

  it("a newer token is looked at by the same, and must be of the same subject", async () => {
    const page = await Page.join(await newSpace());
    page.say({ t: "auth", id: 7, token: "of somebody else: open" });
    await until(() => page.of("err").length > 0);
    expect(page.of("err")).toMatchObject([{ id: 7, e: { code: "forbidden" } }]);
    expect(page.closedWith).toBeUndefined();
  });

  it("a session without a new token ends with its rights, while nothing happens", async () => {
    const page = await Page.join(await newSpace(), { expiresAtMs: Date.now() + 500 });
    expect(page.of("welcome")[0]?.expiresAtMs).toBeGreaterThan(Date.now());
    await until(() => page.closedWith !== undefined);
    expect(page.closedWith).toMatchObject({ code: 4003, reason: expect.stringContaining("token_expired") });
  });

  it("a token for one use is spent once over RPC, by many Workers at once and after an eviction", async () => {
    const space = await newSpace();
    const redeem = () =>
      redeemToken(SHARDS, { space, id: "an-id-of-a-token", endsAtMs: Date.now() + 60_000 });
    const answers = await Promise.all(Array.from({ length: 20 }, redeem));
    expect(answers.filter((isFresh) => isFresh)).toHaveLength(1);
    await evictDurableObject(stubOf(space));
    expect(await redeem()).toBe(false);
    const nowhere = { space: "access-nowhere", id: "an-id-of-a-token", endsAtMs: Date.now() + 60_000 };
    await expect(redeemToken(SHARDS, nowhere)).rejects.toMatchObject({
      code: "space_not_found",
      outcome: "fail",
    });
  });
});

describe("SE4 what a page may say wrong at an object", () => {
  it.each<readonly [string, string | Uint8Array, number]>([
    ["malformed JSON", "{", 4000],
    ["JSON that is no object", "[]", 4000],
    ["an unknown kind", '{"t":"later"}', 4000],
    ["a member of a wrong type", '{"t":"sub","id":"x","key":"a","mode":"all","from":"now"}', 4000],
    ["a key and a prefix", '{"t":"sub","id":1,"key":"a","prefix":"a","mode":"all","from":"now"}', 4000],
    ["too deep a nesting", `{"t":"bye","x":${"[".repeat(40)}${"]".repeat(40)}}`, 4000],
    ["bytes where text was agreed upon", new Uint8Array([0x80]), 4000],
    ["a second hello", encodeFrame(hello), 4000],
    ["an ack of nothing", '{"t":"ack","inv":1}', 4005],
  ])("%s closes its socket with %s", async (_what, frame, code) => {
    const page = await Page.join(await newSpace());
    page.say(frame);
    await until(() => page.closedWith !== undefined);
    expect(page.closedWith?.code).toBe(code);
  });

  it("a frame over size closes it with 4009, or with 1009 where the platform is first", async () => {
    const page = await Page.join(await newSpace());
    page.say(`{"t":"bye","x":"${"x".repeat(33_554_433)}"}`);
    await until(() => page.closedWith !== undefined);
    expect([4009, 1009]).toContain(page.closedWith?.code);
  });

  it.each<readonly [string, Partial<Caller>, ClientFrame | string, number]>([
    ["a version that nobody speaks", {}, { t: "hello", v: 2, node: "a-page-of-a-test", follow: false }, 4001],
    ["to follow without being a node", {}, { t: "hello", v: 1, node: "a-page-of-a-test" }, 4003],
    ["hello before its token", pending, hello, 4003],
    ["a call before its token", pending, { t: "call", id: 1, m: "getSpace", a: ["x"] }, 4003],
    ["a call before hello", {}, { t: "call", id: 1, m: "getSpace", a: ["x"] }, 4000],
  ])("%s closes a new socket with %s", async (_what, caller, frame, code) => {
    const page = await Page.open(await newSpace(), caller);
    page.say(frame);
    await until(() => page.closedWith !== undefined);
    expect(page.closedWith?.code).toBe(code);
    expect(page.frames).toEqual([]);
  });

  it("a token that has ended closes it with 4003, at its next word", async () => {
    const page = await Page.open(await newSpace(), { expiresAtMs: Date.now() - 1 });
    page.say(hello);
    await until(() => page.closedWith !== undefined);
    expect(page.closedWith?.code).toBe(4003);
  });

  it("what is wrong with a watch or a call ends that alone", async () => {
    const space = await newSpace();
    const page = await Page.join(space, { prefixes: ["my/"], writes: false });
    const [{ epoch, revision } = { epoch: "", revision: 0 }] = page.of("welcome");
    const sub = (id: number, target: object, from: unknown = "now") =>
      page.say(JSON.stringify({ t: "sub", id, ...target, mode: "all", from }));
    sub(1, { key: "" });
    sub(2, { key: "my/".padEnd(600, "x") });
    sub(3, { key: "yours" });
    sub(4, { key: "my/a" }, { epoch, revision: revision + 1_000 });
    sub(5, { key: "my/a" }, { epoch: "0123456789abcdef", revision: 1 });
    page.say({
      t: "call",
      id: 6,
      m: "publish",
      a: [
        {
          space,
          shard: 0,
          registrations: 0,
          opId: "01bc7ccd-b800-7000-8000-000000000001/web",
          target: { key: "my/a" },
          payload: { bytes: new Uint8Array(1), contentType: "a/b" },
          retained: false,
        },
      ],
    });
    page.say('{"t":"call","id":7,"m":"nothing","a":[]}');
    page.say('{"t":"call","id":8,"m":"read","a":[{"space":5}]}');
    await until(
      () => page.of("end").length === 4 && page.of("err").length === 3 && page.of("gap").length === 1,
    );
    expect(
      page
        .of("end")
        .map(({ id, e }) => [id, e.code])
        .toSorted(),
    ).toEqual([
      [1, "invalid_key"],
      [2, "invalid_key"],
      [3, "forbidden"],
      [4, "invalid_cursor"],
    ]);
    expect(page.of("gap")).toMatchObject([{ id: 5, why: "epoch" }]);
    expect(
      page
        .of("err")
        .map(({ id, e }) => [id, e.code])
        .toSorted(),
    ).toEqual([
      [6, "forbidden"],
      [7, "invalid_frame"],
      [8, "invalid_frame"],
    ]);
    expect(page.closedWith).toBeUndefined();
  });

  it("a watch too many is overloaded; the others go on", async () => {
    const page = await Page.join(await newSpace());
    for (let id = 0; id <= maxSubscriptionsPerSession; id++) {
      page.say({ t: "sub", id, key: `k${id}`, mode: "all", from: "now" });
    }
    await until(() => page.of("end").length > 0);
    expect(page.of("end")).toMatchObject([{ id: maxSubscriptionsPerSession, e: { code: "overloaded" } }]);
    expect(page.of("on")).toHaveLength(maxSubscriptionsPerSession);
    expect(page.closedWith).toBeUndefined();
  });
});

describe("SE5 what a page may ask wrong of the Worker", () => {
  const upgrade = { Upgrade: "websocket", "Sec-WebSocket-Protocol": "warp.v1.json" };

  it.each<readonly [string, string, Record<string, string>, number, string]>([
    [
      "another subprotocol",
      "",
      { ...upgrade, "Sec-WebSocket-Protocol": "warp.v2" },
      400,
      "protocol_mismatch",
    ],
    ["no subprotocol", "", { Upgrade: "websocket" }, 400, "protocol_mismatch"],
    ["no upgrade", "", {}, 400, "invalid_argument"],
    ["a foreign Origin", "", { ...upgrade, Origin: "https://evil.example" }, 403, "origin_forbidden"],
    [
      "a foreign Origin, token to come",
      "&auth=frame",
      { ...upgrade, Origin: "null" },
      403,
      "origin_forbidden",
    ],
    ["another way to show a token", "&auth=header", upgrade, 400, "invalid_argument"],
    ["a token in the query", "&token=x", upgrade, 400, "invalid_argument"],
  ])("%s is refused before there is a socket", async (_what, query, headers, status, code) => {
    const url = `http://localhost/v1/${await newSpace()}/connect?follow=false${query}`;
    const request = new Request(url, { headers });
    const response = await worker.fetch(request as Parameters<typeof worker.fetch>[0], bindings);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
  });
});
