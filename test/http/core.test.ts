import { describe, expect, it } from "vitest";
import type { BatchOperation } from "../../src/core/types.ts";
import { formatETag, parseCursor } from "../../src/protocol/position.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { coreBed, problemOf, textOf } from "./bed.ts";

const ndjson = { "Content-Type": "application/x-ndjson" };

describe("HTTP over the core", () => {
  it("CO4 reads what it wrote, from L1, with the tag of the write", async () => {
    const { call } = coreBed();
    const put = await call("PUT", "/v1/s/keys/a", { body: "one" });
    const get = await call("GET", "/v1/s/keys/a");
    expect(await get.text()).toBe("one");
    expect(get.headers.get("Warp-Cache")).toBe("hit");
    expect(get.headers.get("ETag")).toBe(put.headers.get("ETag"));
    const { epoch } = parseCursor(put.headers.get("Warp-Revision") ?? "");
    expect(put.headers.get("ETag")).toBe(`"${formatETag(epoch, 1)}"`);
    expect((await call("GET", "/v1/s/keys/none")).headers.get("Warp-Cache")).toBe("miss");
  });

  it("OU2 a repeated op id gives the first verdict, marked; another operation under it is refused; an old one too", async () => {
    const { call, clock, deployment } = coreBed();
    const headers = { "Warp-Op-Id": uuidv7(clock, deployment.random) };
    const first = await call("PUT", "/v1/s/keys/a", { body: "v", headers });
    expect(first.status).toBe(201);
    expect(first.headers.get("Warp-Replayed")).toBeNull();
    const again = await call("PUT", "/v1/s/keys/a", { body: "v", headers });
    expect(again.status).toBe(201);
    expect(again.headers.get("Warp-Replayed")).toBe("true");
    expect(again.headers.get("ETag")).toBe(first.headers.get("ETag"));
    expect((await problemOf(await call("PUT", "/v1/s/keys/a", { body: "w", headers }))).code).toBe(
      "op_id_reused",
    );
    clock.nowMs += 301_000;
    expect((await problemOf(await call("PUT", "/v1/s/keys/a", { body: "v", headers }))).code).toBe(
      "op_id_expired",
    );
  });

  it("a list of weak tags alone matches nothing", async () => {
    const { call } = coreBed();
    const etag = (await call("PUT", "/v1/s/keys/a", { body: "v" })).headers.get("ETag") ?? "";
    const put = async (headers: Record<string, string>) =>
      await call("PUT", "/v1/s/keys/a", { body: "w", headers });
    expect((await put({ "If-Match": `W/${etag}` })).status).toBe(412);
    expect((await put({ "If-None-Match": `W/${etag}` })).status).toBe(412);
    expect((await put({ "If-Match": `"x", ${etag}` })).status).toBe(200);
  });

  it("an import under one op id may be repeated: nothing is done twice", async () => {
    const { call, clock, deployment } = coreBed();
    const body = Array.from({ length: 2_345 }, (_, i) => JSON.stringify({ key: `k${i}`, json: { i } })).join(
      "\n",
    );
    const headers = { ...ndjson, "Warp-Op-Id": uuidv7(clock, deployment.random) };
    const done = async () =>
      JSON.parse(
        (await textOf(await call("POST", "/v1/s/import", { body, headers }))).trim().split("\n").at(-1) ?? "",
      ) as object;
    expect(await done()).toEqual({ done: { lines: 2_345, imported: 2_345, failed: 0 } });
    const revision = (await call("GET", "/v1/s/keys/k0")).headers.get("Warp-Revision");
    expect(await done()).toEqual({ done: { lines: 2_345, imported: 2_345, failed: 0 } });
    expect((await call("GET", "/v1/s/keys/none")).headers.get("Warp-Revision")).toBe(revision);
  });

  it("what export gives, import takes, to the very bytes", async () => {
    const { call, warps } = coreBed();
    const operations: BatchOperation[] = Array.from({ length: 900 }, (_, i) => ({
      op: "set",
      key: `k/${i}/\u00e9`,
      payload: {
        bytes: crypto.getRandomValues(new Uint8Array(i % 50)),
        contentType: i % 2 === 0 ? "application/json" : "a/b",
      },
    }));
    await call("PUT", "/v1/from/keys/json", {
      body: '{"b":1,"a":[1.5,"x\\u0000"]}',
      headers: { "Content-Type": "application/json" },
    });
    await warps.get("from")?.batch(operations);
    const exported = await textOf(await call("GET", "/v1/from/export"));
    await textOf(await call("POST", "/v1/to/import", { body: exported, headers: ndjson }));
    expect(await textOf(await call("GET", "/v1/to/export"))).toBe(exported);
    for (const operation of operations) {
      const got = await call("GET", `/v1/to/keys/${encodeURIComponent(operation.key)}`);
      expect(new Uint8Array(await got.arrayBuffer())).toEqual(
        (operation as { payload: { bytes: Uint8Array } }).payload.bytes,
      );
    }
  });

  it("pages over all keys once, in order of their bytes", async () => {
    const { call } = coreBed();
    const lines = Array.from({ length: 2_500 }, (_, i) => JSON.stringify({ key: `k${i}`, text: "v" }));
    await textOf(await call("POST", "/v1/s/import", { body: lines.join("\n"), headers: ndjson }));
    const keys: string[] = [];
    for (let cursor: string | undefined = ""; cursor !== undefined; ) {
      const query = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page = (await (await call("GET", `/v1/s/keys?limit=999${query}`)).json()) as {
        items: { key: string }[];
        cursor?: string;
      };
      keys.push(...page.items.map((item) => item.key));
      cursor = page.cursor;
    }
    expect(keys).toEqual(lines.map((_, i) => `k${i}`).sort());
    expect((await problemOf(await call("GET", "/v1/s/keys?cursor=rubbish"))).code).toBe("invalid_cursor");
  });

  it("a batch has one verdict for each operation, and sees what it wrote", async () => {
    const { call } = coreBed();
    const operations = [
      { op: "set", key: "../a", json: 1 },
      { op: "get", key: "../a" },
      { op: "set", key: "../a", json: 2, ifNoneMatch: "*" },
      { op: "delete", key: "../a", ifMatch: "*" },
      { op: "get", key: "../a" },
      { op: "invalidate", key: "../a" },
    ];
    const response = await call("POST", "/v1/s/batch", {
      body: JSON.stringify({ operations }),
      headers: { "Content-Type": "application/json" },
    });
    const { results } = (await response.json()) as { results: Record<string, unknown>[] };
    expect(results).toMatchObject([
      { ok: true, version: 1, existed: false },
      { ok: true, found: true, json: 1 },
      { ok: false, error: { code: "precondition_failed" } },
      { ok: true, existed: true },
      { ok: true, found: false },
      { ok: true },
    ]);
  });

  it("CO1 registrations: created, confirmed, refused, changed by version, listed, removed", async () => {
    const { call } = coreBed();
    const path = "/v1/s/registrations/user:*";
    const put = async (body: object, headers: Record<string, string> = {}) =>
      await call("PUT", path, {
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json", ...headers },
      });
    const created = await put({ mode: "StrongDistributed" });
    expect(created.status).toBe(201);
    expect(await created.clone().json()).toMatchObject({ mode: "strong", pattern: "user:*" });
    expect((await put({ mode: "strong" })).status).toBe(200);
    expect((await problemOf(await put({ mode: "local" }))).code).toBe("registration_conflict");
    const changed = await put({ mode: "local" }, { "If-Match": created.headers.get("ETag") ?? "" });
    expect(changed.status).toBe(200);
    expect(
      (await problemOf(await put({ mode: "eventual" }, { "If-Match": created.headers.get("ETag") ?? "" })))
        .code,
    ).toBe("precondition_failed");
    expect(await (await call("GET", path)).json()).toMatchObject({ mode: "local" });
    expect((await call("DELETE", path)).status).toBe(200);
    expect((await call("GET", path)).status).toBe(404);
  });

  it("invalidation drops copies and keeps values", async () => {
    const { call } = coreBed();
    await call("PUT", "/v1/s/keys/a", { body: "v" });
    for (const body of ['{"keys":["a"]}', '{"prefix":""}', '{"prefix":"a","scope":"local"}']) {
      expect((await call("GET", "/v1/s/keys/a")).headers.get("Warp-Cache")).toBe("hit");
      expect(
        (await call("POST", "/v1/s/invalidate", { body, headers: { "Content-Type": "application/json" } }))
          .status,
      ).toBe(200);
      const get = await call("GET", "/v1/s/keys/a");
      expect(get.headers.get("Warp-Cache")).toBe("miss");
      expect(await get.text()).toBe("v");
    }
  });

  it("a value that ends is gone at its end", async () => {
    const { call, clock } = coreBed();
    await call("PUT", "/v1/s/keys/a?expiresInMs=1000", { body: "v" });
    clock.nowMs += 400;
    expect((await call("GET", "/v1/s/keys/a")).headers.get("Warp-Expires-In-Ms")).toBe("600");
    clock.nowMs += 600;
    expect((await call("GET", "/v1/s/keys/a")).status).toBe(404);
  });
});
