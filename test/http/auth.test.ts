import { describe, expect, it } from "vitest";
import { hmacKey, signToken } from "../../src/auth/token.ts";
import { routes } from "../../src/http/routes/index.ts";
import { toBase64Url, utf8 } from "../../src/runtime/bytes.ts";
import { fakeBed, problemOf, secret, textOf } from "./bed.ts";

const nowMs = 1_800_000_000_000;

/** A token signed as the deployment would; `claims` on top of one that may read everything for a minute. */
async function token(claims: Record<string, unknown> = {}, key = secret): Promise<string> {
  const all = {
    sub: "t",
    spaces: ["*"],
    prefixes: [""],
    verbs: ["admin"],
    exp: nowMs / 1_000 + 60,
    iat: nowMs / 1_000,
    jti: "j",
  };
  return await signToken({ ...all, ...claims } as never, await hmacKey(key));
}

/** Raw parts signed with the secret, whatever they say. */
async function forged(header: string, payload: string): Promise<string> {
  const signed = `${toBase64Url(utf8(header))}.${toBase64Url(utf8(payload))}`;
  const signature = await crypto.subtle.sign("HMAC", await hmacKey(secret), utf8(signed));
  return `${signed}.${toBase64Url(new Uint8Array(signature))}`;
}

const bodies: Record<string, string> = {
  "POST /v1/{space}/batch":
    '{"operations":[{"op":"get","key":"in/a"},{"op":"set","key":"in/a","text":"v"},{"op":"delete","key":"in/a"},{"op":"invalidate","key":"in/a"}]}',
  "POST /v1/{space}/txn":
    '{"compare":[{"key":"in/a","exists":true}],"success":[{"op":"set","key":"in/a","text":"v"},{"op":"get","key":"in/a"},{"op":"delete","key":"in/b"}]}',
  "POST /v1/{space}/operations/{operation}/seal": '{"key":"in/a"}',
  "POST /v1/{space}/invalidate": '{"keys":["in/a"]}',
  "POST /v1/{space}/import": '{"key":"in/a","text":"v"}',
  "PATCH /v1/{space}/locks/{name+}": '{"owner":"me","fence":7}',
  "PATCH /v1/{space}/elections/{name+}": '{"owner":"me","fence":7}',
  "POST /v1/{space}/leases": '{"ttlMs":1000}',
  "POST /v1/{space}/leases/keepalive": '{"ids":["aaaaaaaaaaaaaaaa"]}',
  "PUT /v1/{space}/leases/{id}/keys": '{"keys":["in/a"]}',
  "DELETE /v1/{space}/leases/{id}/keys": '{"keys":["in/a"]}',
  "POST /v1/{space}/restore/{key+}": '{"version":1}',
  "POST /v1/{space}/warmup": '{"patterns":["in/*"]}',
  "POST /tokens": '{"subject":"x","spaces":["mine"],"prefixes":["in/"],"verbs":["read"],"expiresInMs":1000}',
};
const queries: Record<string, string> = {
  "GET /v1/{space}/keys": "?prefix=in/",
  "GET /v1/{space}/export": "?prefix=in/",
  "GET /v1/{space}/operations/{operation}": "?key=in/a",
  "GET /v1/{space}/locks": "?prefix=in/",
  "GET /v1/{space}/watch": "?prefix=in/",
  "GET /v1/{space}/changes": "?key=in/a",
  "DELETE /v1/{space}/locks/{name+}": "?owner=me&fence=7",
  "DELETE /v1/{space}/elections/{name+}": "?owner=me&fence=7",
};
/** Routes that look at verbs themselves: what each wants. */
const wants: Record<string, readonly string[]> = {
  "GET /v1/{space}/locks/{name+}": ["read"],
  "DELETE /v1/{space}/locks/{name+}": ["lock"],
  "DELETE /v1/{space}/elections/{name+}": ["lock"],
  "DELETE /v1/{space}/leases/{id}": ["write", "delete"],
  "PUT /v1/{space}/leases/{id}/keys": ["write", "delete"],
  "DELETE /v1/{space}/leases/{id}/keys": ["write", "delete"],
};
/** Leases are nobody's prefix: who knows the id of one may look at it and keep it alive. */
const byId = new Set([
  "POST /v1/{space}/leases",
  "POST /v1/{space}/leases/keepalive",
  "GET /v1/{space}/leases/{id}",
  "POST /v1/{space}/leases/{id}/keepalive",
]);
const table = routes.map((route) => {
  const name = `${route.method} ${route.path}`;
  const path = route.path
    .replace("{space}", "mine")
    .replace("{key+}", "in/a")
    .replace("{name+}", "in/a")
    .replace("{id}", "aaaaaaaaaaaaaaaa")
    .replace("{pattern+}", "in/*")
    .replace("{operation}", "01bc7ccd-b800-7000-8000-000000000001");
  return { name, route, path: path + (queries[name] ?? ""), body: bodies[name] };
});
const guarded = table.filter(({ route }) => route.access !== "public");
const inSpace = guarded.filter(({ route }) => route.path.startsWith("/v1/"));

const isSocket = (name: string) => name.endsWith("/connect");
const upgrades = (name: string) =>
  isSocket(name) ? { Upgrade: "websocket", "Sec-WebSocket-Protocol": "warp.v1.json" } : {};

const send = (
  bed: ReturnType<typeof fakeBed>,
  item: (typeof table)[number],
  bearer: string | null,
  path = item.path,
) =>
  bed.call(item.route.method, path, {
    bearer,
    headers: { "Content-Type": "application/json", ...upgrades(item.name) },
    ...(item.body === undefined ? {} : { body: item.body }),
  });

describe("SE1 a deployment without a secret", () => {
  it.each(table)("answers health only: $name", async (item) => {
    const bed = fakeBed({ secrets: [] });
    const response = await send(bed, item, null);
    if (item.path === "/healthz") expect(await response.json()).toEqual({ status: "ok", version: "1.2.3" });
    else {
      expect(response.status).toBe(403);
      expect((await problemOf(response)).code).toBe("deployment_closed");
    }
  });

  it("tells nothing about routes either", async () => {
    const { call } = fakeBed({ secrets: [] });
    expect((await problemOf(await call("GET", "/nope"))).code).toBe("deployment_closed");
  });
});

describe("SE2 every route asks who calls", () => {
  it.each(guarded)("no token, a wrong one, an expired one: $name", async (item) => {
    const bed = fakeBed();
    const missing = await send(bed, item, null);
    expect(missing.status).toBe(401);
    expect(missing.headers.get("WWW-Authenticate")).toBe('Bearer realm="warp"');
    expect((await problemOf(missing)).code).toBe("token_missing");
    expect((await problemOf(await send(bed, item, `${secret}x`))).code).toBe("token_invalid");
    const expired = await send(bed, item, await token({ exp: nowMs / 1_000 }));
    expect(expired.status).toBe(401);
    expect(expired.headers.get("WWW-Authenticate")).toContain("invalid_token");
    expect((await problemOf(expired)).code).toBe("token_expired");
  });

  it.each(guarded)("the secret may do all: $name", async (item) => {
    const bed = fakeBed();
    await bed.call("PUT", "/v1/mine/keys/in/a", { body: "v" });
    await bed.call("PUT", "/v1/mine/registrations/in/*");
    expect((await send(bed, item, secret)).status).toBeLessThan(300);
  });

  it.each(inSpace)("a token for another space may nothing: $name", async (item) => {
    const bed = fakeBed();
    for (const spaces of [["other"], ["min"], ["mine2"], ["mine2*", "x*"]]) {
      const response = await send(bed, item, await token({ spaces }));
      expect(response.status).toBe(403);
      expect((await problemOf(response)).code).toBe("forbidden");
    }
  });

  it.each(inSpace)("a token for another prefix sees and changes nothing: $name", async (item) => {
    const bed = fakeBed();
    const warp = bed.spaces.warp("mine");
    await bed.call("PUT", "/v1/mine/keys/in/a", { body: "marked" });
    await bed.call("PUT", "/v1/mine/registrations/in/*");
    const before = warp.revision;
    const response = await send(bed, item, await token({ prefixes: ["out/", "in/b"] }));
    const text = await textOf(response.clone());
    expect(text).not.toContain("marked");
    if (response.headers.get("Content-Type") === "application/problem+json") {
      expect((await problemOf(response)).code).toBe("forbidden");
    } else if (item.name.endsWith("/registrations")) expect(text).toBe(`{"registrations":[]}\n`);
    // Each operation, each line has its own verdict.
    else if (item.name.endsWith("/leases/{id}/keys")) expect(text).toBe(`{"items":[]}\n`);
    else if (!byId.has(item.name)) expect(text).toMatch(/"forbidden"/);
    if (byId.has(item.name)) return;
    expect(text).not.toMatch(/"ok":true|"imported":[1-9]/);
    expect([...warp.locks.driver.commands, ...warp.leases.driver.commands]).toEqual([]);
    expect(warp.revision).toBe(before);
  });

  it.each(guarded)("a token without the verb may not: $name", async (item) => {
    const bed = fakeBed();
    const warp = bed.spaces.warp("mine");
    await bed.call("PUT", "/v1/mine/keys/in/a", { body: "marked" });
    await bed.call("PUT", "/v1/mine/registrations/in/*");
    const before = warp.revision;
    // A node wants three of them.
    const needed = isSocket(item.name)
      ? "write"
      : item.route.access === "caller"
        ? "admin"
        : item.route.access;
    const ordinary = ["read", "write", "delete", "invalidate", "lock"];
    const wanted = wants[item.name];
    for (const verb of wanted ?? []) {
      const bearer = await token({ verbs: ordinary.filter((other) => other !== verb) });
      expect((await problemOf(await send(bed, item, bearer))).code).toBe("forbidden");
      expect([...warp.locks.driver.commands, ...warp.leases.driver.commands]).toEqual([]);
    }
    if (wanted !== undefined) return;
    const others = ordinary.filter((verb) => verb !== needed);
    const response = await send(bed, item, await token({ verbs: others }));
    if (item.route.path.includes("/operations/")) {
      const reading = await send(bed, item, await token({ verbs: ["read", "metrics"] }));
      expect((await problemOf(reading)).code).toBe("forbidden");
      expect(bed.spaces.warp("mine").resolved).toHaveLength(others.length > 0 ? 1 : 0);
      return;
    }
    if (item.route.path.endsWith("/txn")) {
      // One operation that is not allowed refuses the whole.
      for (const verbs of [
        ["read", "write"],
        ["read", "delete"],
        ["write", "delete"],
      ]) {
        const refused = await send(bed, item, await token({ verbs }));
        expect((await problemOf(refused)).code).toBe("forbidden");
      }
      expect(warp.plans).toHaveLength(1);
      return;
    }
    if (item.route.access === "space" && !isSocket(item.name)) {
      // A batch: what the verbs allow is done, and nothing else.
      const none = await send(bed, item, await token({ verbs: ["invalidate"] }));
      const { results } = (await none.json()) as { results: { ok: boolean }[] };
      expect(results.map((result) => result.ok)).toEqual([false, false, false, true]);
      return;
    }
    expect(response.status).toBe(403);
    expect((await problemOf(response)).code).toBe("forbidden");
    expect(warp.revision).toBe(before);
  });

  it.each(inSpace)("a token that fits may: $name", async (item) => {
    const bed = fakeBed();
    const warp = bed.spaces.warp("mine");
    await bed.call("PUT", "/v1/mine/keys/in/a", { body: "v" });
    await bed.call("PUT", "/v1/mine/registrations/in/*");
    const wholeSpace = ["/v1/{space}", "/v1/{space}/leases"].includes(item.route.path) || isSocket(item.name);
    warp.leases.driver.attached = ["in/a"];
    const { access } = item.route;
    const verb = access === "space" || access === "socket" ? "admin" : access;
    const fitting = await token({
      spaces: ["mi*"],
      prefixes: wholeSpace ? [""] : ["in/"],
      verbs: wants[item.name] ?? [verb],
    });
    expect((await send(bed, item, fitting)).status).toBeLessThan(300);
  });

  it("lists and exports only within the prefix", async () => {
    const { call } = fakeBed();
    const bearer = await token({ prefixes: ["in/"] });
    for (const path of [
      "/v1/mine/keys",
      "/v1/mine/keys?prefix=i",
      "/v1/mine/export",
      "/v1/mine/export?prefix=out/",
    ]) {
      expect((await problemOf(await call("GET", path, { bearer }))).code).toBe("forbidden");
    }
    const body = '{"prefix":""}';
    const response = await call("POST", "/v1/mine/invalidate", {
      bearer,
      body,
      headers: { "Content-Type": "application/json" },
    });
    expect((await problemOf(response)).code).toBe("forbidden");
  });
});

describe("SE2 what a token must be", () => {
  const good = { sub: "t", spaces: ["*"], prefixes: [""], verbs: ["read"], exp: nowMs / 1_000 + 60 };
  const head = '{"alg":"HS256","typ":"JWT"}';

  it.each([
    ["another algorithm", '{"alg":"none"}', good],
    ["another algorithm, spelled otherwise", '{"alg":"hs256"}', good],
    ["a longer hash", '{"alg":"HS512"}', good],
    ["no algorithm", "{}", good],
    ["a critical extension", '{"alg":"HS256","crit":["exp"]}', good],
    ["a header that is no object", '"HS256"', good],
    ["a header that is no JSON", "rubbish", good],
    ["an audience", head, { ...good, aud: "x" }],
    ["no subject", head, { ...good, sub: undefined }],
    ["the secret's subject", head, { ...good, sub: "admin" }],
    ["the open subject", head, { ...good, sub: "open" }],
    ["no end", head, { ...good, exp: undefined }],
    ["an end that is text", head, { ...good, exp: "9999999999" }],
    ["no spaces", head, { ...good, spaces: [] }],
    ["spaces that are text", head, { ...good, spaces: "*" }],
    ["too many prefixes", head, { ...good, prefixes: Array.from({ length: 101 }, () => "") }],
    ["an unknown verb", head, { ...good, verbs: ["read", "fly"] }],
    ["a start in the future", head, { ...good, nbf: nowMs / 1_000 + 61 }],
    ["an issue in the future", head, { ...good, iat: nowMs / 1_000 + 61 }],
    ["a payload that is no object", head, [1]],
  ])("refused: %s", async (_, header, payload) => {
    const { call } = fakeBed();
    const bearer = await forged(header, JSON.stringify(payload));
    const response = await call("GET", "/v1/s/keys/a", { bearer });
    expect(response.status).toBe(401);
    expect((await problemOf(response)).code).toBe("token_invalid");
  });

  it("a start up to a minute ahead is a clock's difference, and accepted", async () => {
    const { call } = fakeBed();
    const bearer = await token({ iat: nowMs / 1_000 + 60, nbf: nowMs / 1_000 + 60 });
    expect((await call("GET", "/v1/s/keys/a", { bearer })).status).toBe(404);
  });

  it("a changed byte anywhere makes it invalid; unsigned ones and rubbish are too", async () => {
    const { call } = fakeBed();
    const genuine = await token();
    const [header = "", payload = "", signature = ""] = genuine.split(".");
    const wider = toBase64Url(utf8(JSON.stringify({ ...good, verbs: ["admin"] })));
    for (const bearer of [
      `${header}.${wider}.${signature}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${header}.${payload}.${signature}.x`,
      `${toBase64Url(utf8('{"alg":"none"}'))}.${payload}.`,
      `${header}.${payload}.${signature.slice(0, -2)}AA`,
      await token({}, "another-secret-of-enough-bytes"),
      "..",
      "a.b.c",
      "x".repeat(5_000),
    ]) {
      expect((await problemOf(await call("GET", "/v1/s/keys/a", { bearer }))).code).toBe("token_invalid");
    }
    for (const Authorization of ["Basic YTpi", "Bearer", "Bearer a b", secret, `Token ${secret}`]) {
      const response = await call("GET", "/v1/s/keys/a", { bearer: null, headers: { Authorization } });
      expect((await problemOf(response)).code).toBe("token_invalid");
    }
  });

  it("an older secret still counts, as bearer and as signer", async () => {
    const older = "an-older-secret-of-enough-bytes";
    const { call } = fakeBed({ secrets: [secret, older] });
    expect((await call("GET", "/v1/s/keys/a", { bearer: older })).status).toBe(404);
    expect((await call("GET", "/v1/s/keys/a", { bearer: await token({}, older) })).status).toBe(404);
    expect((await call("GET", "/v1/s/keys/a", { bearer: await token() })).status).toBe(404);
  });

  it("a remembered token ends at its time all the same", async () => {
    const { call, clock } = fakeBed();
    const bearer = await token({ exp: nowMs / 1_000 + 1 });
    expect((await call("GET", "/v1/s/keys/a", { bearer })).status).toBe(404);
    clock.nowMs += 999;
    expect((await call("GET", "/v1/s/keys/a", { bearer })).status).toBe(404);
    clock.nowMs += 1;
    for (let i = 0; i < 2; i++) {
      expect((await problemOf(await call("GET", "/v1/s/keys/a", { bearer }))).code).toBe("token_expired");
    }
  });

  it("remembers a bounded number of tokens", async () => {
    const { call } = fakeBed();
    for (let i = 0; i < 1_100; i++) {
      expect((await call("GET", "/v1/s/keys/a", { bearer: await token({ jti: `${i}` }) })).status).toBe(404);
    }
    expect((await call("GET", "/v1/s/keys/a", { bearer: await token({ jti: "0" }) })).status).toBe(404);
  });

  it("op ids belong to the token's subject", async () => {
    const { call, spaces } = fakeBed();
    const body = '{"operations":[{"op":"set","key":"a","text":"v"}]}';
    for (const bearer of [secret, await token({ sub: "alice" })]) {
      await call("POST", "/v1/s/batch", { bearer, body, headers: { "Content-Type": "application/json" } });
    }
    expect(spaces.warp("s").batches.map(({ options }) => options.subject)).toEqual(["admin", "alice"]);
  });
});

describe("POST /tokens", () => {
  const mint = async (bed: ReturnType<typeof fakeBed>, body: object, bearer = secret) =>
    await bed.call("POST", "/tokens", {
      bearer,
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
    });

  it("mints a token that does what it says", async () => {
    const bed = fakeBed();
    const response = await mint(bed, {
      subject: "alice",
      spaces: ["s"],
      prefixes: ["a"],
      verbs: ["read"],
      expiresInMs: 1_500,
    });
    expect(response.status).toBe(201);
    const { token: bearer, expiresAtMs } = (await response.json()) as { token: string; expiresAtMs: number };
    expect(expiresAtMs).toBe(nowMs + 1_500);
    expect((await bed.call("GET", "/v1/s/keys/a1", { bearer })).status).toBe(404);
    expect((await bed.call("GET", "/v1/s/keys/b", { bearer })).status).toBe(403);
    expect((await bed.call("PUT", "/v1/s/keys/a1", { bearer })).status).toBe(403);
    bed.clock.nowMs += 1_500;
    expect((await bed.call("GET", "/v1/s/keys/a1", { bearer })).status).toBe(401);
  });

  it("mints no token that would be refused for its length", async () => {
    const bed = fakeBed();
    const asked = (length: number) => {
      const prefixes = Array.from({ length: 40 }, (_, at) => `${"p".repeat(length)}${at}`);
      return mint(bed, { subject: "alice", spaces: ["s"], prefixes, verbs: ["read"] });
    };
    const { token: bearer } = (await (await asked(60)).json()) as { token: string };
    expect((await bed.call("GET", `/v1/s/keys/${"p".repeat(60)}1`, { bearer })).status).toBe(404);
    expect(await problemOf(await asked(80))).toMatchObject({ status: 400, code: "invalid_argument" });
  });

  it("never mints wider than the one that asks", async () => {
    const bed = fakeBed();
    const own = await token({ spaces: ["team-*", "x"], prefixes: ["a/"], verbs: ["admin"] });
    const within = { subject: "u", spaces: ["team-1"], verbs: ["read"], expiresInMs: 1_000 };
    expect((await mint(bed, within, own)).status).toBe(201);
    expect((await mint(bed, { ...within, spaces: ["team-a*", "x"], prefixes: ["a/b"] }, own)).status).toBe(
      201,
    );
    for (const wider of [
      { spaces: ["*"] },
      { spaces: ["team*"] },
      { spaces: ["x*"] },
      { spaces: ["team-1", "y"] },
      { prefixes: ["a"] },
      { prefixes: [""] },
      { expiresInMs: 60_001 },
    ]) {
      expect((await problemOf(await mint(bed, { ...within, ...wider }, own))).code).toBe("forbidden");
    }
    const reader = await token({ verbs: ["read", "write"] });
    expect((await problemOf(await mint(bed, within, reader))).code).toBe("forbidden");
  });

  it("without a lifetime: an hour, or as long as the one that asks", async () => {
    const bed = fakeBed();
    const body = { subject: "u", spaces: ["s"], verbs: ["read"] };
    const end = async (bearer: string) =>
      ((await (await mint(bed, body, bearer)).json()) as { expiresAtMs: number }).expiresAtMs;
    expect(await end(secret)).toBe(nowMs + 3_600_000);
    expect(await end(await token())).toBe(nowMs + 60_000);
  });

  it.each([
    [{}, "invalid_argument"],
    [{ subject: "" }, "invalid_argument"],
    [{ subject: "admin" }, "invalid_argument"],
    [{ subject: "a b" }, "invalid_argument"],
    [{ spaces: [] }, "invalid_argument"],
    [{ spaces: ["A"] }, "invalid_argument"],
    [{ verbs: [] }, "invalid_argument"],
    [{ verbs: ["fly"] }, "invalid_argument"],
    [{ expiresInMs: 999 }, "invalid_ttl"],
    [{ expiresInMs: 2_592_000_001 }, "invalid_ttl"],
    [{ expiresInMs: 1_000.5 }, "invalid_ttl"],
    [{ prefixes: [] }, "invalid_argument"],
    [{ scope: "x" }, "invalid_argument"],
  ])("refuses %j with %s", async (changes, code) => {
    const base = Object.keys(changes).length === 0 ? {} : { subject: "u", spaces: ["s"], verbs: ["read"] };
    expect((await problemOf(await mint(fakeBed(), { ...base, ...changes }))).code).toBe(code);
  });

  it("is unsupported in an open deployment, which has nothing to sign with", async () => {
    const bed = fakeBed({ secrets: [], open: true });
    const response = await mint(bed, { subject: "u", spaces: ["s"], verbs: ["read"] });
    expect((await problemOf(response)).code).toBe("unsupported");
  });
});
