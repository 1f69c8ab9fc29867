import { describe, expect, it } from "vitest";
import { hmacKey, signToken } from "../../src/auth/token.ts";
import type { Caller } from "../../src/protocol/wire/caller.ts";
import { formatCaller, parseCaller } from "../../src/protocol/wire/caller.ts";
import { authProtocol, readOffer } from "../../src/protocol/wire/subprotocols.ts";
import { fakeBed, problemOf, secret } from "./bed.ts";

const upgrade = { Upgrade: "websocket", "Sec-WebSocket-Protocol": "warp.v1.json" };

/** A bed whose sockets are noted instead of opened. */
function bed(changes: Parameters<typeof fakeBed>[0] = {}) {
  const made = fakeBed(changes);
  const callers: Caller[] = [];
  Object.assign(made.deployment, {
    connect: async (caller: Caller) => {
      callers.push(caller);
      // No host lets a test make an answer of status 101.
      return new Response("open");
    },
  });
  return { ...made, callers };
}

async function token(claims: object): Promise<string> {
  const all = {
    sub: "web",
    spaces: ["*"],
    prefixes: [""],
    verbs: ["read", "write", "delete"] as const,
    iat: 1_800_000_000,
    exp: 1_800_003_600,
    jti: "t",
    ...claims,
  };
  return await signToken(all, await hmacKey(secret));
}

describe("GET /v1/{space}/connect", () => {
  it("hands the shard who calls and what they may", async () => {
    const { call, callers } = bed();
    expect((await call("GET", "/v1/app/connect", { headers: upgrade })).status).toBe(200);
    const bearer = await token({ verbs: ["read", "write", "delete", "invalidate"] });
    await call("GET", "/v1/app/connect?shard=0", { headers: upgrade, bearer });
    expect(callers).toEqual([
      { space: "app", shard: 0, subject: "admin", invalidates: true, locks: true, isAdmin: true },
      {
        space: "app",
        shard: 0,
        subject: "web",
        invalidates: true,
        locks: false,
        isAdmin: false,
        expiresAtMs: 1_800_003_600_000,
      },
    ]);
  });

  it("the first of the offered subprotocols that it knows says how frames are written", async () => {
    const { call, callers } = bed();
    for (const offer of [
      "warp.v1.msgpack",
      "warp.v2, warp.v1.msgpack,warp.v1.json",
      "warp.v1.json, warp.v1.msgpack",
    ]) {
      const headers = { ...upgrade, "Sec-WebSocket-Protocol": offer };
      expect((await call("GET", "/v1/app/connect", { headers })).status).toBe(200);
    }
    expect(callers.map(({ codec }) => codec)).toEqual(["msgpack", "msgpack", undefined]);
  });

  it("SE2 takes the token from the subprotocols where there is no header, any secret included", async () => {
    const odd = 'a,b "c"(d)/e%f;g=h{}';
    const { call, callers } = bed({ secrets: [odd] });
    const offer = (item: string) => ({ ...upgrade, "Sec-WebSocket-Protocol": `warp.v1.json, ${item}` });
    const connect = (item: string) => call("GET", "/v1/app/connect", { bearer: null, headers: offer(item) });
    expect(authProtocol(odd)).toMatch(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);
    expect(readOffer(`warp.v1.json,${authProtocol(odd)}`)).toEqual({ codec: "json", token: odd });
    const wrong = await problemOf(await connect(authProtocol("another secret, wrong")));
    expect(wrong.code).toBe("token_invalid");
    expect((await problemOf(await connect("warp.auth.%zz"))).code).toBe("token_missing");
    expect((await problemOf(await connect("other"))).code).toBe("token_missing");
    expect(callers).toEqual([]);
  });

  it("SE2 the token in a subprotocol opens the socket", async () => {
    const { call, callers } = bed();
    const items = `${authProtocol(await token({}))}, warp.v1.json`;
    const headers = { ...upgrade, "Sec-WebSocket-Protocol": items };
    expect((await call("GET", "/v1/app/connect", { bearer: null, headers })).status).toBe(200);
    expect(callers).toMatchObject([{ subject: "web", invalidates: false }]);
    // Only for sockets: a plain request shows its token in a header.
    const plain = await call("GET", "/v1/app/keys/a", {
      bearer: null,
      headers: { "Sec-WebSocket-Protocol": items },
    });
    expect((await problemOf(plain)).code).toBe("token_missing");
  });

  it.each([
    ["no token", { bearer: null }, 401, "token_missing"],
    ["no upgrade", { headers: {} }, 400, "invalid_argument"],
    ["another upgrade", { headers: { ...upgrade, Upgrade: "h2c" } }, 400, "invalid_argument"],
    ["no subprotocol", { headers: { Upgrade: "websocket" } }, 400, "protocol_mismatch"],
    [
      "another subprotocol",
      { headers: { ...upgrade, "Sec-WebSocket-Protocol": "warp.v2.json" } },
      400,
      "protocol_mismatch",
    ],
    ["shard 256", { query: "?shard=256" }, 400, "invalid_argument"],
    ["shard x", { query: "?shard=x" }, 400, "invalid_argument"],
    ["another parameter", { query: "?zone=x" }, 400, "invalid_argument"],
    ["a shard of no space", { query: "?shard=1" }, 404, "space_not_found"],
    ["a shard that the space has not", { query: "?shard=2", space: "two" }, 400, "invalid_argument"],
    ["a foreign page", { headers: { ...upgrade, Origin: "https://evil.example" } }, 403, "origin_forbidden"],
  ])("SE5 %s is refused before the upgrade", async (_what, init, status, code) => {
    const { call, callers } = bed({ origins: ["https://app.example"] });
    await call("PUT", "/v1/two", {
      body: '{"shards":2}',
      headers: { "Content-Type": "application/json" },
    });
    const { query = "", space = "app", ...rest } = init as { query?: string; space?: string };
    const response = await call("GET", `/v1/${space}/connect${query}`, { headers: upgrade, ...rest });
    expect(response.status).toBe(status);
    expect((await problemOf(response)).code).toBe(code);
    expect(callers).toEqual([]);
  });

  it.each([
    { verbs: ["read", "write"] },
    { verbs: ["read", "delete"] },
    { prefixes: ["user:"] },
    { spaces: ["other"] },
  ])("SE2 a token that does not carry the whole space is forbidden: %o", async (claims) => {
    const { call, callers } = bed();
    const bearer = await token(claims);
    const response = await call("GET", "/v1/app/connect", { headers: upgrade, bearer });
    expect((await problemOf(response)).code).toBe("forbidden");
    expect(callers).toEqual([]);
  });

  it.each([
    [{ prefixes: ["user:"] }, { prefixes: ["user:"] }],
    [{ prefixes: ["user:", ""] }, {}],
    [{ verbs: ["read"] }, { writes: false, deletes: false }],
    [{ verbs: ["write", "invalidate"] }, { reads: false, deletes: false, invalidates: true }],
    [
      { verbs: ["lock"], spaces: ["a*"] },
      { reads: false, writes: false, deletes: false, locks: true },
    ],
    [
      { verbs: ["admin"], prefixes: ["a"] },
      { prefixes: ["a"], isAdmin: true, invalidates: true, locks: true },
    ],
  ])("WA9 with follow=false a narrow token %o is a caller %o", async (claims, expected) => {
    const { call, callers } = bed();
    const bearer = await token(claims);
    expect((await call("GET", "/v1/app/connect?follow=false", { headers: upgrade, bearer })).status).toBe(
      200,
    );
    expect(callers).toEqual([
      {
        space: "app",
        shard: 0,
        subject: "web",
        invalidates: false,
        locks: false,
        isAdmin: false,
        follows: false,
        expiresAtMs: 1_800_003_600_000,
        ...expected,
      },
    ]);
  });

  it.each([{ verbs: ["metrics"] }, { spaces: ["other"] }])(
    "SE2 a token that may do nothing in the space is forbidden, also with follow=false: %o",
    async (claims) => {
      const { call, callers } = bed();
      const bearer = await token(claims);
      const response = await call("GET", "/v1/app/connect?follow=false", { headers: upgrade, bearer });
      expect((await problemOf(response)).code).toBe("forbidden");
      expect(callers).toEqual([]);
    },
  );

  it("WA9 with auth=frame the token comes later, whoever is named by a header", async () => {
    const { call, callers } = bed();
    for (const bearer of [null, "wrong"]) {
      const path = "/v1/app/connect?follow=false&auth=frame";
      expect((await call("GET", path, { headers: upgrade, bearer })).status).toBe(200);
    }
    const pending = {
      space: "app",
      shard: 0,
      subject: "",
      invalidates: false,
      locks: false,
      isAdmin: false,
      isPending: true,
      follows: false,
    };
    expect(callers).toEqual([pending, pending]);
  });

  it.each([
    ["a foreign page", "?auth=frame", { ...upgrade, Origin: "https://evil.example" }, "origin_forbidden"],
    ["no upgrade", "?auth=frame", {}, "invalid_argument"],
    ["another way", "?auth=cookie", upgrade, "invalid_argument"],
    ["follow=maybe", "?follow=maybe&auth=frame", upgrade, "invalid_argument"],
    ["a shard of no space", "?shard=1&auth=frame", upgrade, "space_not_found"],
  ])("SE5 auth=frame changes nothing about %s", async (_what, query, headers, code) => {
    const { call, callers } = bed();
    const response = await call("GET", `/v1/app/connect${query}`, { headers, bearer: null });
    expect((await problemOf(response)).code).toBe(code);
    expect(callers).toEqual([]);
  });

  it("SE1 a closed deployment opens no socket, with auth=frame neither", async () => {
    const { call, callers } = bed({ secrets: [] });
    const response = await call("GET", "/v1/app/connect?auth=frame", { headers: upgrade, bearer: null });
    expect((await problemOf(response)).code).toBe("deployment_closed");
    expect(callers).toEqual([]);
  });

  it("pages of listed origins, and shards that are there, may", async () => {
    const { call, callers } = bed({ origins: ["https://app.example"] });
    await call("PUT", "/v1/two", {
      body: '{"shards":2}',
      headers: { "Content-Type": "application/json" },
    });
    const headers = { ...upgrade, Origin: "https://app.example" };
    expect((await call("GET", "/v1/two/connect?shard=1", { headers })).status).toBe(200);
    expect(callers).toMatchObject([{ space: "two", shard: 1 }]);
  });

  it("a host without sockets says so", async () => {
    const { call, deployment } = fakeBed();
    Object.assign(deployment, { connect: undefined });
    const response = await call("GET", "/v1/app/connect", { headers: upgrade });
    expect((await problemOf(response)).code).toBe("unsupported");
  });
});

describe("a caller on its way to the object", () => {
  it("comes as it was, whatever its zone is called", () => {
    const caller = {
      space: "a",
      shard: 3,
      subject: "x/y",
      invalidates: false,
      locks: true,
      isAdmin: true,
      zone: "Zürich",
    };
    expect(formatCaller(caller)).toMatch(/^[\x20-\x7e]+$/);
    expect(parseCaller(formatCaller(caller))).toEqual(caller);
    for (const text of [null, "", "%", "null", "[]", "5", "{}"]) expect(parseCaller(text)).toBeUndefined();
  });
});
