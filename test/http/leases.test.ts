import { describe, expect, it } from "vitest";
import { hmacKey, signToken } from "../../src/auth/token.ts";
import { fakeBed, problemOf, secret } from "./bed.ts";
import { lockBed } from "./lock-bed.ts";

async function token(claims: { prefixes?: string[]; verbs: string[] }): Promise<string> {
  const exp = 1_800_003_600;
  const all = { sub: "web", spaces: ["*"], prefixes: [""], exp, iat: 1_800_000_000, jti: "j", ...claims };
  return await signToken(all as Parameters<typeof signToken>[0], await hmacKey(secret));
}

describe("leases", () => {
  it("LE-03 X-16 LS4 a revoked lease takes its keys with it; whoever asks for it hears lease_not_found", async () => {
    const { done, refused, send } = lockBed();
    const { id, ...granted } = await done("POST", "leases", { ttlMs: 60_000, onEnd: "delete" });
    expect(id).toMatch(/^[a-z0-9]{16,64}$/);
    expect(granted).toMatchObject({ status: 201, ttlMs: 60_000, remainingMs: 60_000, onEnd: "delete" });
    for (const key of ["a", "b", "c"]) await done("PUT", `keys/${key}`, key);
    expect(await done("PUT", `leases/${id}/keys`, { keys: ["a", "b"] })).toMatchObject({ id, changed: 2 });
    expect(await done("PUT", `leases/${id}/keys`, { keys: ["b", "c"] })).toMatchObject({ changed: 1 });
    expect(await done("DELETE", `leases/${id}/keys`, { keys: ["c", "x"] })).toMatchObject({ changed: 1 });
    expect(await done("GET", `leases/${id}/keys`)).toMatchObject({ items: ["a", "b"] });
    const page = await done("GET", `leases/${id}/keys?limit=1`);
    expect(page.items).toEqual(["a"]);
    expect(await done("GET", `leases/${id}/keys?limit=1&cursor=${page.cursor}`)).toMatchObject({
      items: ["b"],
    });
    expect(await done("GET", `leases/${id}`)).toMatchObject({ id, ttlMs: 60_000, onEnd: "delete" });
    expect((await done("GET", "leases")).items).toMatchObject([{ id }]);
    expect(await done("DELETE", `leases/${id}`)).toMatchObject({ id, revoked: true, replayed: false });
    expect((await send("GET", "keys/a")).status).toBe(404);
    expect((await send("GET", "keys/c")).status).toBe(200);
    for (const [method, path, body] of [
      ["GET", `leases/${id}`],
      ["POST", `leases/${id}/keepalive`],
      ["PUT", `leases/${id}/keys`, { keys: ["a"] }],
      ["DELETE", `leases/${id}`],
    ] as const) {
      expect(await refused(method, path, body)).toMatchObject({ code: "lease_not_found", status: 404 });
    }
    expect((await done("GET", "leases")).items).toEqual([]);
  });

  it("LE-01 LS2 it lives while it is kept alive, alone or with others, and ends by itself", async () => {
    const { done, advance, send } = lockBed();
    const { id } = await done("POST", "leases", { ttlMs: 1_000, onEnd: "delete" });
    const { id: other } = await done("POST", "leases", { ttlMs: 1_000 });
    await done("PUT", `keys/k?lease=${id}`, "v");
    await advance(600);
    expect(await done("POST", `leases/${id}/keepalive`)).toMatchObject({ remainingMs: 1_000 });
    await advance(600);
    const none = "0".repeat(32);
    expect(await done("POST", "leases/keepalive", { ids: [id, other, none] })).toMatchObject({
      results: [
        { id, ok: true, remainingMs: 1_000 },
        { id: other, ok: false, error: { code: "lease_not_found" } },
        { id: none, ok: false },
      ],
    });
    expect((await send("GET", "keys/k")).status).toBe(200);
    await advance(1_000);
    expect((await send("GET", "keys/k")).status).toBe(404);
  });

  it("LS2 maxLifeMs bounds what keeping alive can do", async () => {
    const { done, advance, refused } = lockBed();
    const { id } = await done("POST", "leases", { ttlMs: 1_000, maxLifeMs: 1_500 });
    await advance(800);
    expect(await done("POST", `leases/${id}/keepalive`)).toMatchObject({ remainingMs: 700 });
    await advance(700);
    expect((await refused("GET", `leases/${id}`)).code).toBe("lease_not_found");
  });

  it("LS3 a write attaches its key in the same commit, or is refused as a whole", async () => {
    const { done, refused, send } = lockBed();
    const { id } = await done("POST", "leases", { ttlMs: 60_000 });
    await done("PUT", `keys/a?lease=${id}`, "v");
    await done("POST", `keys/n:1?lease=${id}`, 5);
    const operations = [
      { op: "set", key: "b", text: "v", lease: id },
      { op: "set", key: "c", text: "v", lease: "0".repeat(32) },
      { op: "set", key: "d", text: "v", lease: "SHORT" },
    ];
    expect(await done("POST", "batch", { operations })).toMatchObject({
      results: [
        { ok: true },
        { ok: false, error: { code: "lease_not_found" } },
        { ok: false, error: { code: "invalid_argument" } },
      ],
    });
    await done("POST", "txn", { success: [{ op: "set", key: "e", text: "v", lease: id }] });
    expect((await done("GET", `leases/${id}/keys`)).items).toEqual(["a", "b", "e", "n:1"]);
    expect((await refused("PUT", `keys/z?lease=${"0".repeat(32)}`, "v")).code).toBe("lease_not_found");
    expect((await send("GET", "keys/z")).status).toBe(404);
    expect((await send("GET", "keys/c")).status).toBe(404);
  });

  it("OU2 a repeated op id grants no second lease, and its revoke is the first one's", async () => {
    const { done, newOpId } = lockBed();
    const headers = { "Warp-Op-Id": newOpId() };
    const first = await done("POST", "leases", { ttlMs: 1_000 }, headers);
    const again = await done("POST", "leases", { ttlMs: 1_000 }, headers);
    expect(again).toMatchObject({ id: first.id, replayed: true });
    expect((await done("GET", "leases")).items).toHaveLength(1);
    const revoke = { "Warp-Op-Id": newOpId() };
    await done("DELETE", `leases/${first.id}`, undefined, revoke);
    expect(await done("DELETE", `leases/${first.id}`, undefined, revoke)).toMatchObject({ replayed: true });
  });
});

describe("SE2 who may", () => {
  it("end keys: only who may delete each of them", async () => {
    const { done, refused, newOpId } = lockBed();
    const { id } = await done("POST", "leases", { ttlMs: 60_000 });
    const within = { bearer: await token({ prefixes: ["in/"], verbs: ["read", "write", "delete"] }) };
    const writer = { bearer: await token({ prefixes: ["in/"], verbs: ["read", "write"] }) };
    const attach = { keys: ["in/a"] };
    expect((await refused("PUT", `leases/${id}/keys`, attach, writer)).code).toBe("forbidden");
    expect((await refused("PUT", `keys/in/a?lease=${id}`, "v", writer)).code).toBe("forbidden");
    expect((await refused("PUT", `leases/${id}/keys`, { keys: ["in/a", "out"] }, within)).code).toBe(
      "forbidden",
    );
    await done("PUT", `leases/${id}/keys`, attach, within);
    await done("PUT", `keys/in/b?lease=${id}`, "v", within);
    await done("PUT", `leases/${id}/keys`, { keys: ["out"] });
    expect((await done("GET", `leases/${id}/keys`, undefined, within)).items).toEqual(["in/a", "in/b"]);
    expect((await refused("DELETE", `leases/${id}`, undefined, within)).code).toBe("forbidden");
    expect((await done("GET", `leases/${id}`)).id).toBe(id);
    await done("DELETE", `leases/${id}/keys`, { keys: ["out"] });
    // Also where the answer was lost: the lease has ended, its keys can't be looked at any more.
    const repeated = { ...within, "Warp-Op-Id": newOpId() };
    expect(await done("DELETE", `leases/${id}`, undefined, repeated)).toMatchObject({ revoked: true });
    expect(await done("DELETE", `leases/${id}`, undefined, repeated)).toMatchObject({ replayed: true });
    expect((await refused("DELETE", `leases/${id}`, undefined, within)).code).toBe("lease_not_found");
  });

  it("the keys of a lease are looked at page by page before a bound token revokes it", async () => {
    const { call, spaces } = fakeBed();
    const leases = spaces.warp("s").leases.driver;
    leases.attached = [...Array.from({ length: 1_500 }, (_, n) => `in/${n}`), "out"];
    const bearer = await token({ prefixes: ["in/"], verbs: ["write", "delete"] });
    const path = `/v1/s/leases/${"a".repeat(16)}`;
    expect((await problemOf(await call("DELETE", path, { bearer }))).code).toBe("forbidden");
    expect(leases.commands).toEqual([]);
    leases.attached = leases.attached.slice(0, -1);
    expect((await call("DELETE", path, { bearer })).status).toBe(200);
  });
});

describe("bad input gets its code and nothing is changed", () => {
  const id = "0".repeat(32);
  it.each([
    ["POST", "leases", {}, "invalid_ttl"],
    ["POST", "leases", { ttlMs: 0 }, "invalid_ttl"],
    ["POST", "leases", { ttlMs: 99 }, "invalid_ttl"],
    ["POST", "leases", { ttlMs: 86_400_001 }, "invalid_ttl"],
    ["POST", "leases", { ttlMs: 2_000, maxLifeMs: 1_000 }, "invalid_ttl"],
    ["POST", "leases", { ttlMs: 2_000, maxLifeMs: 2_592_000_001 }, "invalid_ttl"],
    ["POST", "leases", { ttlMs: 2_000, onEnd: "forget" }, "invalid_argument"],
    ["POST", "leases", { ttlMs: 2_000, id }, "invalid_argument"],
    ["GET", "leases/UPPER", undefined, "invalid_argument"],
    ["GET", `leases/${id}`, undefined, "lease_not_found"],
    ["GET", "leases?limit=1001", undefined, "invalid_limit"],
    ["GET", "leases?cursor=rubbish", undefined, "invalid_cursor"],
    ["POST", "leases/keepalive", { ids: [] }, "invalid_argument"],
    ["POST", "leases/keepalive", { ids: Array.from({ length: 129 }, () => id) }, "batch_too_large"],
    ["PUT", `leases/${id}/keys`, { keys: ["a"] }, "lease_not_found"],
    ["PUT", `leases/${id}/keys`, { keys: [] }, "invalid_argument"],
    ["PUT", `leases/${id}/keys`, { keys: [""] }, "invalid_key"],
    [
      "PUT",
      `leases/${id}/keys`,
      { keys: Array.from({ length: 1_001 }, (_, n) => `${n}`) },
      "batch_too_large",
    ],
    ["DELETE", `leases/${id}/keys`, undefined, "invalid_argument"],
    ["PATCH", `leases/${id}`, {}, "method_not_allowed"],
  ])("LE-02 %s %s %j: %s", async (method, path, body, code) => {
    const { refused, done } = lockBed();
    expect(await refused(method, path, body)).toMatchObject({ code, outcome: "fail" });
    expect((await done("GET", "leases")).items).toEqual([]);
  });

  it("LE-02 how many leases one call may keep alive is told of the member that names them", async () => {
    const { refused } = lockBed();
    for (const ids of [[], Array.from({ length: 129 }, () => id)]) {
      const { details } = await refused("POST", "leases/keepalive", { ids });
      expect(details).toMatchObject({ field: "ids", max: 128 });
    }
  });
});
