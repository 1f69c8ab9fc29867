import { describe, expect, it } from "vitest";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { coreBed, fakeBed, problemOf, textOf } from "./bed.ts";

const json = (body: unknown, headers: Readonly<Record<string, string>> = {}): RequestInit => ({
  body: typeof body === "string" ? body : JSON.stringify(body),
  headers: { "Content-Type": "application/json", ...headers },
});

interface Answer {
  readonly succeeded: boolean;
  readonly version: number;
  readonly revision: string;
  readonly opId: string;
  readonly replayed: boolean;
  readonly results: readonly Readonly<Record<string, unknown>>[];
}

/** A bed with one call for transactions: the answer, or the problem's code. */
function bed(changes: Parameters<typeof coreBed>[0] = {}) {
  const made = coreBed(changes);
  const txn = async (body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer> => {
    const response = await made.call("POST", "/v1/s/txn", json(body, headers));
    if (response.status !== 200) throw new Error((await problemOf(response)).code);
    return (await response.json()) as Answer;
  };
  const refused = async (body: unknown) => await problemOf(await made.call("POST", "/v1/s/txn", json(body)));
  const get = async (key: string): Promise<string> =>
    await textOf(await made.call("GET", `/v1/s/keys/${key}`));
  const newOpId = (): string => uuidv7(made.deployment.clock, made.deployment.random);
  return { ...made, txn, refused, get, newOpId };
}

describe("POST /v1/{space}/txn", () => {
  it("TX1 carries out all of one list at one revision, values in every form", async () => {
    const { txn, call, get } = bed();
    await call("PUT", "/v1/s/keys/gone", { body: "x" });
    const done = await txn({
      compare: [{ key: "a", exists: false }],
      success: [
        { op: "set", key: "a", json: { n: 1 }, tags: ["t"], expiresInMs: 60_000 },
        { op: "set", key: "b", text: "two" },
        { op: "set", key: "../c", base64: "/w==", contentType: "x/y" },
        { op: "delete", key: "gone" },
        { op: "get", key: "a" },
        { op: "get", key: "none" },
      ],
    });
    expect(done).toMatchObject({ succeeded: true, replayed: false, version: 2 });
    expect(done.revision).toMatch(/^[0-9a-f]{16}\.2$/);
    const etag = done.revision;
    expect(done.results).toEqual([
      { op: "set", key: "a", version: 2, etag, existed: false },
      { op: "set", key: "b", version: 2, etag, existed: false },
      { op: "set", key: "../c", version: 2, etag, existed: false },
      { op: "delete", key: "gone", version: 0, existed: true },
      {
        op: "get",
        key: "a",
        found: true,
        version: 2,
        etag,
        modifiedAtMs: 1_800_000_000_000,
        expiresInMs: 60_000,
        tags: ["t"],
        contentType: "application/json",
        json: { n: 1 },
      },
      { op: "get", key: "none", found: false, version: 0 },
    ]);
    expect(await get("b")).toBe("two");
    expect((await call("GET", "/v1/s/keys/gone")).status).toBe(404);
  });

  it("TX2 every kind of comparison; what does not hold takes the other list, and is no error", async () => {
    const { txn, call } = bed();
    const put = await call("PUT", "/v1/s/keys/k", json('{"a":1}'));
    const etag = put.headers.get("ETag")?.replaceAll('"', "") ?? "";
    const holds = async (comparison: object): Promise<boolean> => {
      const { succeeded, results, version } = await txn({
        compare: [{ key: "k", ...comparison }],
        failure: [{ op: "get", key: "k" }],
      });
      expect([results.length, version]).toEqual([succeeded ? 0 : 1, 0]);
      return succeeded;
    };
    for (const good of [
      { version: 1 },
      { version: 2, is: "less" },
      { version: 0, is: "greater" },
      { version: 5, is: "notEqual" },
      { exists: true },
      { json: { a: 1 } },
      { text: '{"a":1}' },
      { base64: "eyJhIjoxfQ==" },
      { ifMatch: [etag] },
      { ifMatch: "*" },
      { ifNoneMatch: ["other"] },
    ]) {
      expect(await holds(good), JSON.stringify(good)).toBe(true);
    }
    for (const bad of [
      { version: 2 },
      { version: 1, is: "less" },
      { exists: false },
      { json: { a: 2 } },
      { text: '{ "a": 1 }' },
      { ifMatch: ["other"] },
      { ifNoneMatch: "*" },
    ]) {
      expect(await holds(bad), JSON.stringify(bad)).toBe(false);
    }
  });

  it("a condition of an operation's own refuses the whole: 412, nothing done", async () => {
    const { refused, call } = bed();
    await call("PUT", "/v1/s/keys/k", { body: "v" });
    const problem = await refused({
      success: [
        { op: "set", key: "other", text: "x" },
        { op: "delete", key: "k", ifNoneMatch: "*" },
      ],
    });
    expect(problem).toMatchObject({ code: "precondition_failed", status: 412, outcome: "fail" });
    expect((await call("GET", "/v1/s/keys/other")).status).toBe(404);
  });

  it("OU2 a repeated op id gives the first answer again; another transaction under it is refused", async () => {
    const { txn, newOpId, call } = bed();
    const headers = { "Warp-Op-Id": newOpId() };
    const body = { success: [{ op: "set", key: "k", text: "1" }] };
    const first = await txn(body, headers);
    expect(await txn(body, headers)).toEqual({ ...first, replayed: true });
    const other = await call("POST", "/v1/s/txn", json({ success: [{ op: "delete", key: "k" }] }, headers));
    expect((await problemOf(other)).code).toBe("op_id_reused");
    expect(other.headers.get("Warp-Op-Id")).toBe(headers["Warp-Op-Id"]);
  });

  it("TX5 OU4 what is malformed names its part; nothing is done", async () => {
    const { refused, call } = bed({ maxValueBytes: 20 });
    const ok = { op: "set", key: "k", text: "v" };
    const cases: readonly [unknown, string, string?][] = [
      [{ compare: {} }, "invalid_argument"],
      [{ success: [{ op: "incr", key: "k" }] }, "invalid_argument"],
      [{ success: [{ op: "get" }] }, "invalid_key"],
      [{ success: [ok], extra: 1 }, "invalid_argument"],
      [{ success: [ok, { op: "set", key: "", text: "v" }] }, "invalid_key", "success[1]: "],
      [{ success: [ok, { op: "set", key: "b" }] }, "invalid_argument", "success[1]: "],
      [{ success: [ok, { op: "set", key: "b", text: "v", json: 1 }] }, "invalid_argument", "success[1]: "],
      [{ success: [ok, { op: "set", key: "b", base64: "?" }] }, "invalid_argument", "success[1]: "],
      [{ success: [{ op: "set", key: "b", text: "v".repeat(21) }] }, "value_too_large", "success[0]: "],
      [{ success: [{ ...ok, expiresInMs: -1 }] }, "invalid_ttl", "success[0]: "],
      [{ success: [{ ...ok, tags: ["a", "a"] }] }, "invalid_argument", "success[0]: "],
      [{ success: [{ ...ok, opId: "x" }] }, "invalid_argument"],
      [{ success: [{ ...ok, replace: 1 }] }, "invalid_argument"],
      [{ failure: [{ op: "merge", key: "b", text: "v", ifMatch: 5 }] }, "invalid_argument", "failure[0]: "],
      [{ success: [{ op: "invalidate", key: "k" }] }, "invalid_argument"],
      [{ compare: [{ key: "k" }], success: [ok] }, "invalid_argument", "compare[0]: "],
      [{ compare: [{ key: "k", version: 1, exists: true }] }, "invalid_argument", "compare[0]: "],
      [{ compare: [{ key: "k", exists: true, is: "less" }] }, "invalid_argument", "compare[0]: "],
      [{ compare: [{ key: "k", version: 1, is: "about" }] }, "invalid_argument"],
      [{ compare: [{ key: "k", version: -1 }] }, "invalid_version"],
      [{ compare: [{ key: "k", ifMatch: "*", ifNoneMatch: "*" }] }, "invalid_argument", "compare[0]: "],
      [{ success: [ok, { op: "delete", key: "k" }] }, "duplicate_key"],
      [{ success: Array.from({ length: 129 }, (_, i) => ({ ...ok, key: `k${i}` })) }, "batch_too_large"],
      [{ compare: Array.from({ length: 129 }, () => ({ key: "k", exists: false })) }, "batch_too_large"],
      [{ success: [ok, { op: "merge", key: "n", json: 1 }] }, "merge_rule_missing"],
      ["{", "invalid_json"],
      ["[]", "invalid_argument"],
    ];
    for (const [body, code, begins = ""] of cases) {
      const problem = await refused(body);
      expect(problem.code, JSON.stringify(body).slice(0, 100)).toBe(code);
      expect(String(problem.detail).startsWith(begins), `${problem.detail}`).toBe(true);
      expect(problem.outcome).toBe("fail");
    }
    expect((await call("GET", "/v1/s/keys/k")).status).toBe(404);
  });

  it("values beyond what one answer carries are left out: the transaction is done all the same", async () => {
    const { txn, call } = bed();
    const body = "x".repeat(1_048_576);
    const keys = Array.from({ length: 9 }, (_, i) => `big${i}`);
    for (const key of keys) await call("PUT", `/v1/s/keys/${key}`, { body });
    const { succeeded, results } = await txn({ success: keys.map((key) => ({ op: "get", key })) });
    expect(succeeded).toBe(true);
    expect(results.map((result) => result.omitted === true)).toEqual([...Array(8).fill(false), true]);
    expect(results[8]).toMatchObject({ found: true, version: 9 });
  });

  it("is refused for what the token may not, whichever part it is", async () => {
    const { call } = fakeBed();
    const mint = async (claims: object): Promise<string> => {
      const response = await call("POST", "/tokens", json({ subject: "t", spaces: ["s"], ...claims }));
      return ((await response.json()) as { token: string }).token;
    };
    const bearer = await mint({ verbs: ["write"], prefixes: ["in/"] });
    const send = async (body: object): Promise<string> => {
      const response = await call("POST", "/v1/s/txn", { ...json(body), bearer });
      return response.status === 200 ? "done" : (await problemOf(response)).code;
    };
    expect(await send({ success: [{ op: "set", key: "in/a", text: "v" }] })).toBe("done");
    expect(await send({ success: [{ op: "set", key: "out", text: "v" }] })).toBe("forbidden");
    expect(await send({ success: [{ op: "get", key: "in/a" }] })).toBe("forbidden");
    expect(await send({ failure: [{ op: "delete", key: "in/a" }] })).toBe("forbidden");
    // A comparison tells about the key.
    expect(await send({ compare: [{ key: "in/a", exists: true }] })).toBe("forbidden");
  });
});

describe("POST /v1/{space}/keys/{key}", () => {
  it("CORE-05 merges the body by the registered rule; PUT does so too, unless it replaces", async () => {
    const { call, get } = bed();
    await call("PUT", "/v1/s/registrations/n", json({ merge: "sum" }));
    const first = await call("POST", "/v1/s/keys/n", json("1"));
    expect([first.status, first.headers.get("Warp-Version")]).toEqual([201, "2"]);
    expect(await first.json()).toMatchObject({ key: "n", version: 2, created: true, replayed: false });
    const second = await call("POST", "/v1/s/keys/n", json("2"));
    expect([second.status, await get("n")]).toEqual([200, "3"]);
    await call("PUT", "/v1/s/keys/n", json("4"));
    expect(await get("n")).toBe("7");
    await call("PUT", "/v1/s/keys/n?replace=true", json("5"));
    expect(await get("n")).toBe("5");
    await call("POST", "/v1/s/batch", json({ operations: [{ op: "merge", key: "n", json: 1 }] }));
    await call("POST", "/v1/s/txn", json({ success: [{ op: "merge", key: "n", json: 1 }] }));
    expect(await get("n")).toBe("7");
  });

  it("takes conditions, life and tags; X-09 what can't be merged leaves the old value", async () => {
    const { call, get } = bed();
    await call("PUT", "/v1/s/registrations/n", json({ merge: "max" }));
    await call("POST", "/v1/s/keys/n?expiresInMs=60000&tags=a,b", json("5"));
    const seen = await call("GET", "/v1/s/keys/n");
    expect(seen.headers.get("Warp-Expires-In-Ms")).toBe("60000");
    const stale = await call("POST", "/v1/s/keys/n", json("9", { "If-Match": '"other"' }));
    expect((await problemOf(stale)).code).toBe("precondition_failed");
    for (const [body, type] of [
      ["nine", "application/json"],
      ['"9"', "application/json"],
    ] as const) {
      const failed = await call("POST", "/v1/s/keys/n", { body, headers: { "Content-Type": type } });
      expect([failed.status, (await problemOf(failed)).code]).toEqual([422, "merge_failed"]);
    }
    expect(await get("n")).toBe("5");
    const none = await problemOf(await call("POST", "/v1/s/keys/other", json("1")));
    expect([none.code, none.status]).toEqual(["merge_rule_missing", 409]);
    const unknown = await call("PUT", "/v1/s/registrations/m", json({ merge: "multiply" }));
    expect((await problemOf(unknown)).code).toBe("merge_rule_unknown");
    expect((await problemOf(await call("POST", "/v1/s/keys/n?replace=true", json("1")))).code).toBe(
      "invalid_argument",
    );
  });

  it("an import stores lines as they stand, so that an export read twice counts nothing twice; merge is asked for", async () => {
    const { call, get } = bed();
    await call("PUT", "/v1/s/registrations/n", json({ merge: "sum" }));
    await call("PUT", "/v1/s/keys/n", json("5"));
    const exported = await textOf(await call("GET", "/v1/s/export"));
    for (const body of [
      exported,
      exported,
      '{"key":"n","json":2,"merge":true}\n{"key":"n","json":9,"merge":1}\n',
    ]) {
      const response = await call("POST", "/v1/s/import", {
        body,
        headers: { "Content-Type": "application/x-ndjson" },
      });
      await textOf(response);
    }
    expect(await get("n")).toBe("7");
  });
});

describe("/v1/{space}/operations/{operation}", () => {
  it("OU1 OU3 tells what became of a mutation by the op id of its answer", async () => {
    const { call, newOpId } = bed();
    const put = await call("PUT", "/v1/s/keys/k", { body: "v" });
    const opId = put.headers.get("Warp-Op-Id") ?? "";
    const state = async (id: string, query = ""): Promise<unknown> =>
      await (await call("GET", `/v1/s/operations/${id}${query}`)).json();
    expect(await state(opId)).toEqual({ opId, state: "ok", version: 1 });
    expect(await state(opId, "?key=k")).toEqual({ opId, state: "ok", version: 1 });
    const failed = await call("PUT", "/v1/s/keys/k", { body: "w", headers: { "If-None-Match": "*" } });
    const problem = await problemOf(failed);
    const failedId = failed.headers.get("Warp-Op-Id") ?? "";
    expect(await state(failedId)).toMatchObject({
      state: "fail",
      error: { code: problem.code, outcome: "fail", retryable: false },
    });
    const batch = newOpId();
    const operations = [
      { op: "set", key: "a", text: "1" },
      { op: "delete", key: "k" },
    ];
    await call("POST", "/v1/s/batch", json({ operations }, { "Warp-Op-Id": batch }));
    expect(await state(batch, "?index=1&key=k")).toEqual({ opId: batch, state: "ok", version: 0 });
    expect(await state(batch)).toEqual({ opId: batch, state: "unseen" });
  });

  it("OU3 with seal what was not seen is refused when it comes", async () => {
    const { call, newOpId } = bed();
    await call("PUT", "/v1/s");
    await call("PUT", "/v1/s/keys/first", { body: "v" });
    const opId = newOpId();
    const sealed = await call("POST", `/v1/s/operations/${opId}/seal`, json({ key: "k" }));
    expect(await sealed.json()).toEqual({ opId, state: "sealed" });
    const late = await call("PUT", "/v1/s/keys/k", { body: "v", headers: { "Warp-Op-Id": opId } });
    expect([late.status, (await problemOf(late)).code]).toEqual([409, "op_sealed"]);
    expect((await call("GET", "/v1/s/keys/k")).status).toBe(404);
    const txn = newOpId();
    expect(await (await call("POST", `/v1/s/operations/${txn}/seal`)).json()).toEqual({
      opId: txn,
      state: "sealed",
    });
    const body = json({ success: [{ op: "set", key: "k", text: "v" }] }, { "Warp-Op-Id": txn });
    expect((await problemOf(await call("POST", "/v1/s/txn", body))).code).toBe("op_sealed");
  });

  it("SE2 an op id is looked for under the caller's own subject only", async () => {
    const { call } = bed();
    const put = await call("PUT", "/v1/s/keys/k", { body: "v" });
    const opId = put.headers.get("Warp-Op-Id");
    const minted = await call("POST", "/tokens", json({ subject: "t", spaces: ["s"], verbs: ["write"] }));
    const { token: bearer } = (await minted.json()) as { token: string };
    const answer = await call("GET", `/v1/s/operations/${opId}`, { bearer });
    expect(await answer.json()).toEqual({ opId, state: "unseen" });
  });

  it("OU4 malformed op ids, keys and places; ages beyond what is remembered", async () => {
    const { call, newOpId, clock } = bed();
    await call("PUT", "/v1/s/keys/k", { body: "v" });
    const opId = newOpId();
    const code = async (path: string): Promise<string> => (await problemOf(await call("GET", path))).code;
    expect(await code("/v1/s/operations/x")).toBe("invalid_op_id");
    expect(await code(`/v1/s/operations/${opId.toUpperCase()}`)).toBe("invalid_op_id");
    expect(await code(`/v1/s/operations/${opId}?key=`)).toBe("invalid_key");
    expect(await code(`/v1/s/operations/${opId}?index=1000`)).toBe("invalid_argument");
    expect(await code(`/v1/s/operations/${opId}?seal=true`)).toBe("invalid_argument");
    expect(await code("/v1/s/operations/%zz")).toBe("invalid_encoding");
    clock.nowMs += 300_001;
    expect(await code(`/v1/s/operations/${opId}`)).toBe("op_id_expired");
  });
});
