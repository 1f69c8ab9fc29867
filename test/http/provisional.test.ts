import { describe, expect, it } from "vitest";
import { deleteKey, getKey, mergeKey, setKey } from "../../src/client/keys.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { clientOf } from "../client/bed.ts";
import type { FailoverBed, FailoverNode } from "../support/failover-bed.ts";
import { bringBack, cutOff, ended, withFailover } from "../support/failover-scene.ts";
import { nodeBed, problemOf } from "./bed.ts";

async function withApp(
  work: (parts: {
    readonly bed: FailoverBed;
    readonly node: FailoverNode;
    readonly app: ReturnType<typeof nodeBed>;
    readonly call: (method: string, path: string, init?: RequestInit) => Promise<Response>;
  }) => Promise<void>,
): Promise<void> {
  await withFailover(async (bed) => {
    const node = await bed.node();
    await ended(bed, node.warp.register("n:*", { merge: "sum" }));
    await ended(bed, node.warp.register("s:*", { mode: "strong" }));
    await ended(bed, node.warp.set("a", 1));
    const app = nodeBed(node.warp);
    await work({
      bed,
      node,
      app,
      call: (...args) => {
        app.clock.nowMs = bed.clock.now();
        // Nothing here takes virtual time.
        return app.call(...args);
      },
    });
  });
}

const json = { "Content-Type": "application/json" };

describe("provisional answers over HTTP", () => {
  it("SB8 a write is 202 with Warp-Provisional, its op id, and no version, tag or revision", () =>
    withApp(async ({ bed, node, call }) => {
      await cutOff(bed, node);
      for (const [method, path, body] of [
        ["PUT", "/v1/test/keys/a", "2"],
        ["POST", "/v1/test/keys/n:1", "2"],
        ["DELETE", "/v1/test/keys/b", undefined],
      ] as const) {
        const response = await call(method, path, body === undefined ? {} : { headers: json, body });
        expect([method, response.status]).toEqual([method, 202]);
        expect(response.headers.get("Warp-Provisional")).toBe("true");
        expect(response.headers.get("Warp-Op-Id")).toMatch(/^[0-9a-f-]{36}$/);
        for (const name of ["ETag", "Warp-Version", "Warp-Revision"])
          expect(response.headers.get(name), name).toBeNull();
        const told = (await response.json()) as { readonly opId: string };
        const key = decodeURIComponent(path.slice("/v1/test/keys/".length));
        expect(told).toEqual({
          key,
          version: 0,
          opId: response.headers.get("Warp-Op-Id"),
          provisional: true,
        });
      }
    }));

  it("SB8 a read says that it is provisional, or that it is stale, or is refused", () =>
    withApp(async ({ bed, node, call }) => {
      await call("PUT", "/v1/test/keys/old", { headers: json, body: "1" });
      await cutOff(bed, node);
      await call("PUT", "/v1/test/keys/a", { headers: json, body: "2" });
      await call("DELETE", "/v1/test/keys/b");
      const got = await call("GET", "/v1/test/keys/a");
      expect([got.status, await got.text()]).toEqual([200, "2"]);
      expect(got.headers.get("Warp-Provisional")).toBe("true");
      expect(got.headers.get("Warp-Cache")).toBe("stale");
      for (const name of ["ETag", "Warp-Version", "Warp-Revision"])
        expect(got.headers.get(name), name).toBeNull();
      const gone = await call("GET", "/v1/test/keys/b");
      expect([gone.status, gone.headers.get("Warp-Provisional")]).toEqual([404, "true"]);
      await bed.clock.advance(10_000);
      const old = await call("GET", "/v1/test/keys/old");
      expect([old.headers.get("Warp-Cache"), old.headers.get("Warp-Provisional")]).toEqual(["stale", null]);
      expect(old.headers.get("ETag")).not.toBeNull();
      expect(await problemOf(await call("GET", "/v1/test/keys/unheard"))).toMatchObject({
        code: "unavailable",
      });
      // No tag of a provisional value is known, so none matches.
      const conditional = await call("GET", "/v1/test/keys/a", {
        headers: { "If-None-Match": '"0000000000000000.0"' },
      });
      expect(conditional.status).toBe(200);
    }));

  it("SB8 what is strong or conditional is a 503 problem that says what became of it", () =>
    withApp(async ({ bed, node, call }) => {
      await cutOff(bed, node);
      for (const [path, headers] of [
        ["/v1/test/keys/s:1", {}],
        ["/v1/test/keys/a", { "If-None-Match": "*" }],
        ["/v1/test/keys/a", { "Warp-Fence": "lock=1" }],
      ] as const) {
        const response = await call("PUT", path, { headers: { ...json, ...headers }, body: "2" });
        expect(await problemOf(response)).toMatchObject({
          status: 503,
          code: "unavailable",
          outcome: "fail",
        });
      }
      const txn = await call("POST", "/v1/test/txn", {
        headers: json,
        body: JSON.stringify({ success: [{ op: "set", key: "a", json: 1 }] }),
      });
      expect(await problemOf(txn)).toMatchObject({ code: "unavailable" });
    }));

  it("SB8 a batch says it of each operation", () =>
    withApp(async ({ bed, node, call }) => {
      await cutOff(bed, node);
      const operations = [
        { op: "set", key: "a", json: 2 },
        { op: "set", key: "s:1", json: 2 },
        { op: "get", key: "a" },
      ];
      const response = await call("POST", "/v1/test/batch", {
        headers: json,
        body: JSON.stringify({ operations }),
      });
      const { results } = (await response.json()) as { results: readonly Record<string, unknown>[] };
      expect(results[0]).toEqual({
        op: "set",
        key: "a",
        ok: true,
        version: 0,
        opId: expect.any(String),
        provisional: true,
      });
      expect(results[1]).toMatchObject({ op: "set", key: "s:1", ok: false, error: { code: "unavailable" } });
      expect(results[2]).toMatchObject({
        op: "get",
        ok: true,
        found: true,
        json: 2,
        cache: "stale",
        provisional: true,
      });
      expect(results[2]).not.toHaveProperty("etag");
      expect(results[2]).not.toHaveProperty("revision");
    }));

  it("OU3 the op id of a provisional write is pending, and ok when the shard is back", () =>
    withApp(async ({ bed, node, call }) => {
      await cutOff(bed, node);
      const opId = uuidv7(bed.clock, bed.bed.random);
      await call("PUT", "/v1/test/keys/a", { headers: { ...json, "Warp-Op-Id": opId }, body: "2" });
      const asked = () => call("GET", `/v1/test/operations/${opId}?key=a`);
      expect(await (await asked()).json()).toMatchObject({ state: "pending" });
      await bringBack(bed, node);
      expect(await (await asked()).json()).toMatchObject({ state: "ok" });
    }));

  it("SB8 the client's calls carry it", () =>
    withApp(async ({ bed, node, app }) => {
      const { client } = clientOf(
        async (url, request) =>
          await app.app.request(url, { ...request, body: request.body as Uint8Array<ArrayBuffer> }),
        { clock: bed.clock, timers: bed.clock },
      );
      await cutOff(bed, node);
      const payload = { bytes: utf8("2"), contentType: "application/json" };
      const taken = { version: 0, revision: "", existed: false, replayed: false, provisional: true };
      expect(await setKey(client, "test", "a", payload)).toMatchObject({ key: "a", ...taken });
      expect(await mergeKey(client, "test", "n:1", payload)).toMatchObject({
        key: "n:1",
        ...taken,
      });
      // A key that no path can have goes by a batch.
      expect(await setKey(client, "test", "x/../y", payload)).toMatchObject(taken);
      expect(await deleteKey(client, "test", "b")).toMatchObject({ key: "b", ...taken });
      for (const key of ["a", "x/../y"]) {
        const found = await getKey(client, "test", key);
        expect(found).toMatchObject({ provisional: true, cache: "stale" });
        expect([found.version, found.etag, fromUtf8(found.payload.bytes)]).toEqual([
          undefined,
          undefined,
          "2",
        ]);
      }
    }));
});
