import { describe, expect, it } from "vitest";
import { HeldByTest } from "../support/held-locks.ts";
import { coreBed, problemOf } from "./bed.ts";

const lock = "nightly = ünï/{1}";
const encoded = encodeURIComponent(lock);

function fencedBed() {
  const locks = new HeldByTest();
  const bed = coreBed({}, locks);
  const fence = locks.grant(lock);
  const key = "/v1/app/keys/k";
  const under = (number: number | string) => ({ "Warp-Fence": `${encoded}=${number}` });
  return { ...bed, locks, fence, key, under };
}

/** A token with these rights, as the app mints it. */
async function tokenFor(
  call: ReturnType<typeof coreBed>["call"],
  rights: { readonly prefixes: readonly string[]; readonly verbs: readonly string[] },
): Promise<string> {
  const response = await call("POST", "/tokens", {
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ subject: "t", spaces: ["app"], expiresInMs: 60_000, ...rights }),
  });
  return ((await response.json()) as { token: string }).token;
}

async function codeOf(response: Response): Promise<string> {
  return response.ok ? String(response.status) : (await problemOf(response)).code;
}

describe("Warp-Fence", () => {
  it("LK14 X-15 PUT, POST, DELETE and restore pass under the live fence and are 409 stale_fence under an older one", async () => {
    const { call, locks, fence, key, under } = fencedBed();
    const json = { "Content-Type": "application/json" };
    await call("PUT", "/v1/app/registrations/k", {
      body: '{"mode":"eventual","merge":"sum","history":{"versions":3}}',
      headers: json,
    });
    const calls: (readonly [method: string, path: string, body?: string])[] = [
      ["PUT", key, "1"],
      ["POST", key, "1"],
      ["POST", "/v1/app/restore/k", '{"version":2}'],
      ["DELETE", key],
    ];
    const send = async (method: string, path: string, body: string | undefined, number: number) =>
      await codeOf(
        await call(method, path, { headers: { ...json, ...under(number) }, ...(body && { body }) }),
      );
    for (const [method, path, body] of calls) {
      expect([method, path, await send(method, path, body, fence)]).toEqual([
        method,
        path,
        path === key && method === "PUT" ? "201" : "200",
      ]);
    }
    await call("PUT", key, { body: "7", headers: json });
    const next = locks.grant(lock);
    for (const [method, path, body] of calls) {
      expect([method, path, await send(method, path, body, fence)]).toEqual([method, path, "stale_fence"]);
    }
    expect(await (await call("GET", key)).text()).toBe("7");
    const refused = await call("PUT", key, { body: "8", headers: under(fence) });
    expect([refused.status, (await problemOf(refused)).details]).toEqual([409, { lock, fence }]);
    expect(await send("PUT", key, "8", next)).toBe("200");
  });

  it("LK14 a malformed header is refused before anything is done", async () => {
    const { call, key, fence, under } = fencedBed();
    const table: readonly [string, string][] = [
      ["", "invalid_argument"],
      [`=${fence}`, "invalid_argument"],
      [encoded, "invalid_argument"],
      [`${encoded}=`, "invalid_argument"],
      [`${encoded}=-1`, "invalid_argument"],
      [`${encoded}=1.5`, "invalid_argument"],
      [`${encoded}=0`, "invalid_argument"],
      [`${encoded}=9999999999999999`, "invalid_argument"],
      [`a=b=${fence}`, "invalid_argument"],
      [`a b=${fence}`, "invalid_argument"],
      [`%ff=${fence}`, "invalid_encoding"],
      [`%=${fence}`, "invalid_encoding"],
      [`${"x".repeat(513)}=${fence}`, "invalid_lock"],
      [`${"x".repeat(2_000)}=${fence}`, "invalid_argument"],
    ];
    for (const [value, code] of table) {
      const response = await call("PUT", key, { body: "v", headers: { "Warp-Fence": value } });
      expect([value, await codeOf(response)]).toEqual([value, code]);
    }
    expect((await call("GET", key)).status).toBe(404);
    expect(await codeOf(await call("PUT", key, { body: "v", headers: under(fence) }))).toBe("201");
  });

  it("LK14 a call that would not look at a fence refuses it", async () => {
    const { call, fence, under } = fencedBed();
    const headers = { "Content-Type": "application/json", ...under(fence) };
    const bodies: readonly [string, string][] = [
      ["batch", '{"operations":[{"op":"set","key":"k","json":1}]}'],
      ["txn", '{"success":[{"op":"set","key":"k","json":1}]}'],
      ["invalidate", '{"keys":["k"]}'],
    ];
    for (const [path, body] of bodies) {
      expect(await codeOf(await call("POST", `/v1/app/${path}`, { headers, body }))).toBe("invalid_argument");
    }
    const lines = { ...headers, "Content-Type": "application/x-ndjson" };
    expect(
      await codeOf(await call("POST", "/v1/app/import", { headers: lines, body: '{"key":"k","json":1}\n' })),
    ).toBe("invalid_argument");
    expect((await call("GET", "/v1/app/keys/k")).status).toBe(404);
  });

  it("LK14 TX2 operations of a batch and of a transaction have guards; a comparison asks for a fence", async () => {
    const { call, locks, fence } = fencedBed();
    const post = async (path: string, body: object) =>
      await call("POST", `/v1/app/${path}`, {
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
    const guard = { lock, fence };
    const set = { op: "set", key: "k", json: 1, guard };
    const compare = [{ key: lock, fence }];
    const batch = {
      operations: [set, { op: "set", key: "free", json: 1 }, { op: "delete", key: "k", guard }],
    };
    const codes = async () => {
      const { results } = (await (await post("batch", batch)).json()) as {
        results: { ok: boolean; error?: { code: string } }[];
      };
      return results.map(({ ok, error }) => (ok ? "ok" : error?.code));
    };
    expect(await codes()).toEqual(["ok", "ok", "ok"]);
    expect(await codeOf(await post("txn", { success: [set] }))).toBe("200");
    const failure = [{ op: "get", key: "k" }];
    const asked = { compare, success: [{ ...set, guard: undefined }], failure };
    expect(await (await post("txn", asked)).json()).toMatchObject({ succeeded: true });
    locks.grant(lock);
    expect(await codes()).toEqual(["stale_fence", "ok", "stale_fence"]);
    const refused = await post("txn", { success: [{ op: "get", key: "free" }, set] });
    expect(await problemOf(refused)).toMatchObject({
      code: "stale_fence",
      outcome: "fail",
      details: { part: "success[1]" },
    });
    expect(await (await post("txn", asked)).json()).toMatchObject({
      succeeded: false,
      results: [{ op: "get", key: "k", json: 1 }],
    });
    for (const wrong of [
      { success: [{ ...set, guard: { lock } }] },
      { success: [{ ...set, guard: { lock, fence, more: 1 } }] },
      { success: [{ ...set, guard: { lock, fence: 0 } }] },
      { compare: [{ key: lock, fence: 0 }] },
      { compare: [{ key: lock, fence, exists: true }] },
      { success: [{ op: "get", key: "k", guard }] },
    ]) {
      expect(await codeOf(await post("txn", wrong)), JSON.stringify(wrong)).toBe("invalid_argument");
    }
    expect(await codeOf(await post("txn", { compare: [{ key: "", fence }] }))).toBe("invalid_lock");
  });

  it("SE2 a lock outside the token's prefixes is forbidden, since the answer would tell of it", async () => {
    const { call, locks } = fencedBed();
    const fence = locks.grant("out/lock");
    const own = locks.grant("in/lock");
    const bearer = await tokenFor(call, { prefixes: ["in/"], verbs: ["write", "delete"] });
    const send = async (method: string, path: string, headers: Record<string, string>, body?: object) => {
      const text = body === undefined ? {} : { body: JSON.stringify(body) };
      return await codeOf(
        await call(method, path, {
          bearer,
          headers: { "Content-Type": "application/json", ...headers },
          ...text,
        }),
      );
    };
    const key = "/v1/app/keys/in/k";
    expect(await send("PUT", key, { "Warp-Fence": `out%2Flock=${fence}` }, {})).toBe("forbidden");
    expect(await send("PUT", key, { "Warp-Fence": `in%2Flock=${own}` }, {})).toBe("201");
    const guarded = (lock: string) => ({ op: "delete", key: "in/k", guard: { lock, fence: own } });
    expect(await send("POST", "/v1/app/txn", {}, { success: [guarded("out/lock")] })).toBe("forbidden");
    expect(await send("POST", "/v1/app/txn", {}, { success: [guarded("in/lock")] })).toBe("200");
    // To compare is to read.
    const compare = [{ key: "in/lock", fence: own }];
    expect(await send("POST", "/v1/app/txn", {}, { compare })).toBe("forbidden");
    const reader = await tokenFor(call, { prefixes: ["in/"], verbs: ["read"] });
    const ask = async (name: string) =>
      await codeOf(
        await call("POST", "/v1/app/txn", {
          bearer: reader,
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ compare: [{ key: name, fence: own }] }),
        }),
      );
    expect([await ask("in/lock"), await ask("out/lock")]).toEqual(["200", "forbidden"]);
  });

  it("LK14 without locks beside the storage guards are unsupported", async () => {
    const { call } = coreBed({}, null);
    const headers = { "Warp-Fence": "lock=1" };
    expect(await codeOf(await call("PUT", "/v1/app/keys/k", { body: "v", headers }))).toBe("unsupported");
    expect((await call("GET", "/v1/app/keys/k")).status).toBe(404);
  });
});
