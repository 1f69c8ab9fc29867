import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeRandom } from "../../src/platform/node.ts";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import { decodeServerFrame, encodeFrame } from "../../src/protocol/wire/codec.ts";
import type { ClientFrame, ServerFrame, WireMethod } from "../../src/protocol/wire/frames.ts";
import { wireMethods } from "../../src/protocol/wire/requests.ts";
import { authProtocol } from "../../src/protocol/wire/subprotocols.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { eventually, type Served, startServe, temporaryFolder } from "../support/serve.ts";

const secret = "secret-of-the-narrow-sockets";
const authorized = { Authorization: `Bearer ${secret}`, "Content-Type": "application/json" };
/** What nobody but its owner may ever be told: stands in keys, values, names of locks, tags and patterns. */
const foreign = "hidden";
const path = "/v1/app/connect?follow=false";
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let served: Served;

/** Serves the tests of a group; `env` beside what they all want. */
function serving(env: Record<string, string>): void {
  beforeAll(async () => {
    folder = await temporaryFolder();
    served = await startServe(folder.path, [], {
      WARP_SECRET: secret,
      WARP_CORS_ORIGINS: "https://app.example",
      WARP_MAX_MESSAGES_PER_SECOND: "100",
      ...env,
    });
  });
  afterAll(async () => {
    await served.stop();
    await folder[Symbol.asyncDispose]();
  });
}

async function mint(body: object): Promise<string> {
  const asked = {
    subject: "web",
    spaces: ["app"],
    prefixes: ["mine/"],
    verbs: ["read", "write", "delete"],
    ...body,
  };
  const response = await fetch(`${served.url}/tokens`, {
    method: "POST",
    headers: authorized,
    body: JSON.stringify(asked),
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { token: string }).token;
}

async function admin(method: string, where: string, body: string): Promise<void> {
  const response = await fetch(`${served.url}/v1/app${where}`, { method, headers: authorized, body });
  expect(response.ok, `${method} ${where}: ${response.status}`).toBe(true);
}

/** A page's end, as Node's own WebSocket has it. */
class Page {
  readonly frames: ServerFrame[] = [];
  readonly texts: string[] = [];
  closedWith: { readonly code: number; readonly reason: string } | undefined;
  isOpen = false;
  readonly #ws: WebSocket;
  #id = 0;

  constructor(where: string, token?: string) {
    const protocols = ["warp.v1.json", ...(token === undefined ? [] : [authProtocol(token)])];
    this.#ws = new WebSocket(`${served.url.replace("http", "ws")}${where}`, protocols);
    this.#ws.addEventListener("open", () => {
      this.isOpen = true;
    });
    this.#ws.addEventListener("message", ({ data }) => {
      this.texts.push(String(data));
      const frame = decodeServerFrame(String(data));
      if (frame !== undefined) this.frames.push(frame);
    });
    this.#ws.addEventListener("close", ({ code, reason }) => {
      this.closedWith = { code, reason };
    });
  }

  static async join(token: string, where = path): Promise<Page> {
    const page = new Page(where, token);
    expect(await eventually(() => page.isOpen)).toBe(true);
    page.say({ t: "hello", v: 1, node: "a-page-of-a-test", follow: false });
    expect(await eventually(() => page.of("welcome").length > 0)).toBe(true);
    return page;
  }

  say(frame: ClientFrame | string): void {
    this.#ws.send(typeof frame === "string" ? frame : encodeFrame(frame));
  }

  of<T extends ServerFrame["t"]>(kind: T): Extract<ServerFrame, { t: T }>[] {
    return this.frames.filter((frame): frame is Extract<ServerFrame, { t: T }> => frame.t === kind);
  }

  /** The answer to a call: `ok`, `refused` and its code, or the code of its error. */
  async call(m: WireMethod, ...a: readonly unknown[]): Promise<string> {
    const id = ++this.#id;
    this.say({ t: "call", id, m, a });
    const found = () =>
      this.frames.find((frame) => (frame.t === "ok" || frame.t === "err") && frame.id === id) as
        | Extract<ServerFrame, { t: "ok" | "err" }>
        | undefined;
    expect(await eventually(() => found() !== undefined || this.closedWith !== undefined)).toBe(true);
    const answer = found();
    if (answer === undefined) throw new Error(`${m}: ${JSON.stringify(this.closedWith)}`);
    if (answer.t === "err") return answer.e.code;
    const { refused } = (answer.r ?? {}) as { refused?: { code: string } };
    return refused === undefined ? "ok" : `refused ${refused.code}`;
  }

  async ended(): Promise<number | undefined> {
    expect(await eventually(() => this.closedWith !== undefined, 15_000)).toBe(true);
    return this.closedWith?.code;
  }

  async watch(id: number, target: { readonly key: string } | { readonly prefix: string }): Promise<void> {
    this.say({ t: "sub", id, ...target, mode: "all", from: "now" });
    const told = () => [...this.of("on"), ...this.of("end")].some((frame) => frame.id === id);
    expect(await eventually(told)).toBe(true);
  }

  close(): void {
    this.#ws.close();
  }
}

const opId = () => scopeOpId("web", uuidv7({ now: Date.now }, nodeRandom));
const payload = { bytes: utf8("v"), contentType: "text/plain" };

describe.each<readonly [string, Record<string, string>]>([
  ["its shard", {}],
  ["a relay", { WARP_SHARD_WATCHERS: "0" }],
])("WA9 a page with a narrow token, over serve, at %s", (_where, env) => {
  serving(env);

  test("is told of nothing but its own prefixes, whatever it asks by whatever call", async () => {
    await admin("PUT", `/keys/${foreign}/a`, JSON.stringify(foreign));
    await admin("PUT", "/keys/mine/a", '"own"');
    await admin("PUT", "/keys/mind", JSON.stringify(foreign));
    await admin("PUT", `/registrations/${foreign}/*`, '{"cacheTtlMs":1000}');
    await admin("POST", `/locks/${foreign}/lock`, `{"owner":"${foreign}","ttlMs":60000}`);
    await admin(
      "POST",
      `/elections/${foreign}/leader`,
      `{"owner":"${foreign}","ttlMs":60000,"text":"${foreign}"}`,
    );
    await admin("POST", "/leases", '{"ttlMs":60000}');
    const page = await Page.join(await mint({}));
    expect(page.of("welcome")).toMatchObject([{ subject: "web", shards: 1, leaseMs: 0 }]);
    expect(await page.call("getSpace", "app")).toBe("ok");
    const { space } = (page.of("ok")[0]?.r ?? {}) as { space?: { id: string } };
    const scope = { space: "app", shard: 0, spaceId: space?.id, registrations: 0 };
    const set = (key: string) => ({ kind: "set", opId: opId(), key, payload });
    const transaction = { opId: opId(), compare: [], success: [], failure: [] };
    const get = { kind: "get", key: `${foreign}/a` };
    const key = `${foreign}/a`;
    const lease = "aaaaaaaaaaaaaaaa";
    const { epoch = "" } = page.of("welcome")[0] ?? {};
    const outside: Readonly<Record<WireMethod, readonly (readonly unknown[])[]>> = {
      read: [
        [{ ...scope, keys: [key] }],
        [{ ...scope, keys: ["mine/a", "mind"], strong: true, hold: true }],
        [{ ...scope, space: "other", keys: ["mine/a"] }],
        [{ ...scope, shard: 1, keys: ["mine/a"] }],
      ],
      list: ["", "m", "min", "mind", foreign].map((prefix) => [
        { ...scope, prefix, limit: 10, values: true },
      ]),
      readVersion: [[{ ...scope, key, which: { version: 1 } }]],
      history: [[{ ...scope, key, limit: 10 }]],
      claimLoad: [[{ ...scope, key, holder: "h", ttlMs: 1_000, waitMs: 0 }]],
      mutate: [
        [{ ...scope, mutations: [set(key)] }],
        [{ ...scope, mutations: [{ ...set("mine/b"), guard: { lock: `${foreign}/lock`, fence: 1 } }] }],
        [{ ...scope, mutations: [{ kind: "invalidatePrefix", opId: opId(), prefix: "mine/" }] }],
        [{ ...scope, mutations: [{ kind: "invalidateTag", opId: opId(), tag: foreign }] }],
        [
          {
            ...scope,
            mutations: [
              { ...set("mine/b"), opId: scopeOpId("other", uuidv7({ now: Date.now }, nodeRandom)) },
            ],
          },
        ],
      ],
      transact: [
        [{ ...scope, transaction: { ...transaction, success: [get] } }],
        [{ ...scope, transaction: { ...transaction, failure: [get] } }],
        [{ ...scope, transaction: { ...transaction, compare: [{ key, exists: true }] } }],
        [{ ...scope, transaction: { ...transaction, compare: [{ key: `${foreign}/lock`, fence: 1 }] } }],
      ],
      resolve: [[{ ...scope, opIds: [scopeOpId("admin", uuidv7({ now: Date.now }, nodeRandom))] }]],
      publish: [
        [{ ...scope, opId: opId(), target: { key }, payload, retained: true }],
        [{ ...scope, opId: opId(), target: { prefix: "" }, payload, retained: false }],
      ],
      changes: [[{ ...scope, epoch, since: 0, limit: 100 }]],
      usage: [[scope]],
      getSpace: [["other"]],
      createSpace: [
        ["other", {}],
        ["app", { shards: 2 }],
      ],
      deleteSpace: [
        ["app", "begin"],
        ["app", "finish"],
      ],
      getRegistrations: [[scope]],
      register: [[{ ...scope, pattern: "mine/*", settings: {} }]],
      unregister: [[{ ...scope, pattern: `${foreign}/*` }]],
      lock: [
        [
          {
            ...scope,
            commands: [
              { kind: "acquire", opId: opId(), name: "mine/l", owner: "o", as: "mutex", ttlMs: 1_000 },
            ],
          },
        ],
        [{ ...scope, commands: [{ kind: "force", opId: opId(), name: `${foreign}/lock`, by: "web" }] }],
      ],
      waitLock: [[{ ...scope, name: `${foreign}/lock`, owner: "o", ticket: "t", waitMs: 0 }]],
      lockInfo: [[{ ...scope, name: `${foreign}/lock` }]],
      listLocks: [[{ ...scope, prefix: "", limit: 10 }], [{ ...scope, prefix: "mine/", limit: 10 }]],
      observe: [[{ ...scope, name: `${foreign}/leader`, waitMs: 0 }]],
      lease: [[{ ...scope, commands: [{ kind: "revoke", opId: opId(), id: lease }] }]],
      leaseInfo: [[{ ...scope, id: lease }]],
      listLeases: [[{ ...scope, limit: 10 }]],
      leaseKeys: [[{ ...scope, id: lease, limit: 10 }]],
    };
    expect(Object.keys(outside).toSorted()).toEqual(wireMethods.toSorted());
    for (const m of wireMethods) {
      for (const [at, a] of outside[m].entries()) {
        const wanted =
          a[0] === "other" ||
          (a[0] as { space?: string; shard?: number }).space === "other" ||
          (a[0] as { shard?: number }).shard === 1
            ? "invalid_argument"
            : "forbidden";
        expect([m, at, await page.call(m, ...a)]).toEqual([m, at, wanted]);
      }
    }
    for (const [id, target] of [{ key }, { prefix: "" }, { prefix: "mine" }, { prefix: foreign }].entries()) {
      await page.watch(id, target);
    }
    expect(page.of("end").map(({ e }) => e.code)).toEqual([
      "forbidden",
      "forbidden",
      "forbidden",
      "forbidden",
    ]);
    await page.watch(10, { prefix: "mine/" });
    await admin("PUT", `/keys/${foreign}/b`, JSON.stringify(foreign));
    await admin("PUT", "/keys/mine/b", '"told"');
    await admin("POST", "/invalidate", `{"keys":["${foreign}/a"]}`);
    await admin("POST", "/invalidate", `{"tags":["${foreign}"]}`);
    // A page is no node: strong writes neither tell it what to drop nor count it.
    await admin("PUT", `/registrations/${foreign}/strong/*`, '{"mode":"strong","quorum":1}');
    const alone = await fetch(`${served.url}/v1/app/keys/${foreign}/strong/a`, {
      method: "PUT",
      headers: authorized,
      body: "1",
    });
    expect(await alone.json()).toMatchObject({ code: "quorum_failed", details: { nodes: 0 } });
    expect(
      await eventually(() => page.of("we").some(({ es }) => es.some(([, , name]) => name === "mine/b"))),
    ).toBe(true);
    // What it may, it can.
    expect(await page.call("read", { ...scope, keys: ["mine/a"] })).toBe("ok");
    expect(await page.call("list", { ...scope, prefix: "mine/", after: "a", limit: 100, values: true })).toBe(
      "ok",
    );
    expect(await page.call("mutate", { ...scope, mutations: [set("mine/c")] })).toBe("ok");
    expect(page.texts.filter((text) => text.includes(foreign) || text.includes("aGlkZGVu"))).toEqual([]);
    expect(page.closedWith).toBeUndefined();
    page.close();
  });

  test("brings newer tokens on the same socket: it goes on, watches that they don't cover end, and with the last of them it ends", async () => {
    const page = await Page.join(await mint({ prefixes: ["mine/", "ours/"], expiresInMs: 4_000 }));
    const first = page.of("welcome")[0]?.expiresAtMs ?? 0;
    expect(first - Date.now()).toBeGreaterThan(0);
    await page.watch(1, { prefix: "mine/" });
    await page.watch(2, { prefix: "ours/" });
    page.say({
      t: "auth",
      id: 100,
      token: await mint({ prefixes: ["mine/", "ours/"], expiresInMs: 20_000 }),
    });
    expect(await eventually(() => page.of("ok").length === 1)).toBe(true);
    const { expiresAtMs = 0 } = (page.of("ok")[0]?.r ?? {}) as { expiresAtMs?: number };
    expect(expiresAtMs).toBeGreaterThan(first + 10_000);
    // Beyond the end of its first token.
    expect(await eventually(() => Date.now() > first + 300, 10_000)).toBe(true);
    await admin("PUT", "/keys/ours/later", '"1"');
    expect(
      await eventually(() => page.of("we").some(({ es }) => es.some(([, , key]) => key === "ours/later"))),
    ).toBe(true);
    expect(page.closedWith).toBeUndefined();
    for (const [token, code] of [
      [await mint({ subject: "someone-else" }), "forbidden"],
      [await mint({ spaces: ["other"] }), "forbidden"],
      [await mint({ verbs: ["metrics"] }), "forbidden"],
      ["a.b.c", "token_invalid"],
    ] as const) {
      const before = page.of("err").length;
      page.say({ t: "auth", id: 101, token });
      expect(await eventually(() => page.of("err").length > before)).toBe(true);
      expect(page.of("err").at(-1)?.e.code).toBe(code);
    }
    expect(page.of("end")).toEqual([]);
    page.say({ t: "auth", id: 102, token: await mint({ prefixes: ["mine/"], expiresInMs: 2_000 }) });
    expect(await eventually(() => page.of("end").length === 1)).toBe(true);
    expect(page.of("end")).toMatchObject([{ id: 2, e: { code: "forbidden" } }]);
    await admin("PUT", "/keys/ours/last", '"1"');
    await admin("PUT", "/keys/mine/last", '"1"');
    expect(await eventually(() => page.texts.some((text) => text.includes("mine/last")))).toBe(true);
    expect(page.texts.join()).not.toContain("ours/last");
    expect(await page.ended()).toBe(4003);
    expect(page.closedWith?.reason).toContain("token_expired");
  });

  test("may bring its token in the first frame; without one it can do nothing", async () => {
    const page = new Page(`${path}&auth=frame`);
    expect(await eventually(() => page.isOpen)).toBe(true);
    page.say({ t: "auth", id: 1, token: await mint({}) });
    page.say({ t: "hello", v: 1, node: "a-page-of-a-test", follow: false });
    expect(await eventually(() => page.of("welcome").length === 1)).toBe(true);
    expect(page.of("welcome")).toMatchObject([{ subject: "web" }]);
    page.close();
    for (const words of [
      ['{"t":"hello","v":1,"node":"a-page-of-a-test","follow":false}'],
      ['{"t":"call","id":1,"m":"getSpace","a":["app"]}'],
      ['{"t":"auth","id":1,"token":"a.b.c"}', '{"t":"hello","v":1,"node":"a-page-of-a-test","follow":false}'],
      [encodeFrame({ t: "auth", id: 1, token: await mint({ spaces: ["other"] }) })],
    ]) {
      const other = new Page(`${path}&auth=frame`);
      expect(await eventually(() => other.isOpen)).toBe(true);
      for (const text of words) other.say(text);
      expect([words[0], await other.ended()]).toEqual([words[0], 4003]);
      expect(other.texts).toEqual([]);
    }
  });

  test("must not follow the log, nor be let in as a node", async () => {
    const token = await mint({});
    const node = new Page("/v1/app/connect", token);
    expect(await eventually(() => node.closedWith !== undefined)).toBe(true);
    expect(node.isOpen).toBe(false);
    const page = new Page(path, token);
    expect(await eventually(() => page.isOpen)).toBe(true);
    page.say({ t: "hello", v: 1, node: "a-page-of-a-test" });
    expect(await page.ended()).toBe(4003);
    expect(page.texts).toEqual([]);
  });

  test("SE3 that never stops asking is told so, then closed", async () => {
    const page = await Page.join(await mint({}));
    for (let id = 1; id <= 1_200 && page.closedWith === undefined; id++) {
      page.say({ t: "call", id, m: "getSpace", a: ["app"] });
    }
    expect(await page.ended()).toBe(4100);
    expect(page.of("ok").length).toBeGreaterThanOrEqual(499);
    expect(new Set(page.of("err").map(({ e }) => e.code))).toEqual(new Set(["overloaded"]));
  });
});

describe("WA9 a stream of events, whose page can send no headers", () => {
  serving({});

  /** A stream, and what it has told. */
  async function open(
    query: string,
  ): Promise<{ readonly status: number; text: string; readonly ended: Promise<void> }> {
    const response = await fetch(`${served.url}/v1/app/watch?${query}`);
    const told = { status: response.status, text: "", ended: Promise.resolve() };
    const decoder = new TextDecoder();
    told.ended = (async () => {
      for await (const chunk of response.body ?? []) told.text += decoder.decode(chunk, { stream: true });
    })();
    return told;
  }

  test("is opened by a token for one use, once, within its prefixes, and ends when that says", async () => {
    await admin("PUT", "/keys/mine/first", '"1"');
    const token = await mint({ use: "once", streamMs: 3_000 });
    const outside = await open(`prefix=&token=${await mint({ use: "once" })}`);
    await outside.ended;
    expect([outside.status, outside.text]).toEqual([403, expect.stringContaining('"forbidden"')]);
    const stream = await open(`prefix=mine/&token=${token}`);
    expect(stream.status).toBe(200);
    await admin("PUT", `/keys/${foreign}/streamed`, JSON.stringify(foreign));
    await admin("PUT", "/keys/mine/streamed", '"streamed"');
    expect(await eventually(() => stream.text.includes("mine/streamed"))).toBe(true);
    expect(stream.text).not.toContain(foreign);
    for (const spent of [token, await mint({}), secret, "a.b.c"]) {
      const again = await open(`prefix=mine/&token=${spent}`);
      await again.ended;
      expect([again.status, again.text]).toEqual([401, expect.stringContaining('"token_invalid"')]);
    }
    await stream.ended;
    expect(stream.text).toContain("event: end");
    expect(stream.text).toContain("token_expired");
  });
});

describe("SE5 the Origin of a page", () => {
  serving({});

  const handshake = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
  };

  test.each([
    ["https://evil.example", 403],
    ["https://app.example.evil.example", 403],
    ["null", 403],
    ["https://app.example", 101],
    [undefined, 101],
  ])("%s is answered %s, with a token and without one", async (origin, status) => {
    const { request } = await import("node:http");
    const token = await mint({});
    for (const [where, item] of [
      [path, `, ${authProtocol(token)}`],
      [`${path}&auth=frame`, ""],
    ] as const) {
      const answered = await new Promise<{ status: number; code?: string }>((resolve, reject) => {
        const asked = request(`${served.url}${where}`, {
          headers: {
            ...handshake,
            "Sec-WebSocket-Protocol": `warp.v1.json${item}`,
            ...(origin === undefined ? {} : { Origin: origin }),
          },
        });
        asked.on("upgrade", ({ statusCode = 0 }, socket) => {
          socket.destroy();
          resolve({ status: statusCode });
        });
        asked.on("response", (response) => {
          let text = "";
          response.on("data", (chunk: Buffer) => {
            text += chunk;
          });
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, code: (JSON.parse(text) as { code: string }).code }),
          );
        });
        asked.on("error", reject);
        asked.end();
      });
      expect(answered).toEqual(status === 101 ? { status } : { status, code: "origin_forbidden" });
    }
  });
});
