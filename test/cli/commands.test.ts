import { describe, expect, test } from "vitest";
import { OutputClosed } from "../../src/cli/host.ts";
import { type ErrorCode, errorCodes } from "../../src/errors.ts";
import { answering, appClient, failing } from "../client/bed.ts";
import { secret } from "../http/bed.ts";
import { HeldByTest } from "../support/held-locks.ts";
import { recorder, warp } from "./bed.ts";

describe("over the real routes", () => {
  const open = () => {
    const { fetch } = appClient();
    return { fetch, env: { WARP_TOKEN: secret } };
  };

  test("a value goes in and comes out byte for byte", async () => {
    const bed = open();
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const put = await warp(["set", "logo", "@logo.png", "--type", "image/png"], {
      ...bed,
      files: { "logo.png": bytes },
    });
    expect(put.stdout).toMatch(/^logo is at version \d+\n$/);
    const got = await warp(["get", "logo"], bed);
    expect([...got.bytes]).toEqual([...bytes]);
    const json = JSON.parse((await warp(["get", "logo", "--json"], bed)).stdout) as Record<string, unknown>;
    expect(json).toMatchObject({ key: "logo", contentType: "image/png" });
    expect(json.base64).toBe(Buffer.from(bytes).toString("base64"));
  });

  test("stdin is the value for - and for nothing; @ and - are values after --", async () => {
    const bed = open();
    await warp(["set", "a", "-"], { ...bed, stdin: "from stdin" });
    await warp(["set", "b"], { ...bed, stdin: "@not a file" });
    await warp(["set", "c", "--", "-5"], bed);
    expect((await warp(["get", "a"], bed)).stdout).toBe("from stdin");
    expect((await warp(["get", "b"], bed)).stdout).toBe("@not a file");
    expect((await warp(["get", "c"], bed)).stdout).toBe("-5");
  });

  test("a key that is not there is exit code 3, one line with code and request id", async () => {
    const ended = await warp(["get", "nothing"], open());
    expect(ended).toMatchObject({ code: 3, stdout: "" });
    expect(ended.stderr).toMatch(/^warp: not_found: the key does not exist \[request [\w.-]+\]\n$/);
  });

  test("a write that the storage behind its space has not confirmed says so; it is no failure", async () => {
    const done = { key: "a", version: 3, revision: "x.3", opId: "y", replayed: false, created: true };
    const fetch = answering(201, JSON.stringify({ ...done, storage: "pending" }));
    const ended = await warp(["set", "a", "1"], { fetch });
    expect(ended).toMatchObject({
      code: 0,
      stdout: "a is at version 3, the storage behind it is not yet (pending)\n",
    });
    const shown = await warp(["--json", "set", "a", "1"], { fetch });
    expect(JSON.parse(shown.stdout)).toMatchObject({ version: 3, storage: "pending" });
  });

  test("--json prints the problem document", async () => {
    const ended = await warp(["--json", "get", "nothing"], open());
    expect(ended.code).toBe(3);
    expect(JSON.parse(ended.stderr)).toMatchObject({ code: "not_found", status: 404 });
  });

  test("LK14 --fence guards every change: exit code 4 once the lock is another's", async () => {
    const locks = new HeldByTest();
    const bed = { fetch: appClient(locks).fetch, env: { WARP_TOKEN: secret } };
    const lock = "a=b/c";
    const flag = ["--fence", `${lock}=${locks.grant(lock)}`];
    await warp(["register", "*", "--merge", "sum", "--set", 'history={"versions":3}'], bed);
    const set = '{"success":[{"op":"set","key":"t","json":1},{"op":"get","key":"t"}]}';
    const lines: readonly (readonly [argv: readonly string[], stdin?: string])[] = [
      [["set", "k", "1", "--type", "json"]],
      [["merge", "k", "1"]],
      [["restore", "k", "2"]],
      [["txn"], set],
      [["del", "k"]],
    ];
    const run = async () => {
      const codes: number[] = [];
      for (const [argv, stdin] of lines) {
        const ended = await warp([...argv, ...flag], { ...bed, ...(stdin && { stdin }) });
        if (ended.code !== 0) expect(ended.stderr).toContain("stale_fence");
        codes.push(ended.code);
      }
      return codes;
    };
    expect(await run()).toEqual([0, 0, 0, 0, 0]);
    locks.grant(lock);
    expect(await run()).toEqual([4, 4, 4, 4, 4]);
    for (const wrong of ["", "=1", "lock", "lock=", "lock=0", "lock=x"]) {
      expect((await warp(["set", "k", "1", "--fence", wrong], bed)).code).toBe(2);
    }
  });

  test("--if-absent and --if-version that don't hold are exit code 4", async () => {
    const bed = open();
    const first = JSON.parse((await warp(["set", "a", "1", "--if-absent", "--json"], bed)).stdout) as {
      version: number;
    };
    expect((await warp(["set", "a", "2", "--if-absent"], bed)).code).toBe(4);
    expect((await warp(["set", "a", "2", "--if-version", String(first.version)], bed)).code).toBe(0);
    expect((await warp(["del", "a", "--if-version", String(first.version)], bed)).code).toBe(4);
    expect((await warp(["del", "a"], bed)).stdout).toBe("a is deleted\n");
    expect((await warp(["del", "a"], bed)).stdout).toBe("a was not there\n");
  });

  test("a wrong token is exit code 5 and stands in no output", async () => {
    const { fetch } = appClient();
    const token = "wrong-and-secret";
    const ended = await warp(["get", "a", "--token", token], { fetch });
    expect(ended).toMatchObject({ code: 5, stdout: "" });
    expect(ended.stderr).not.toContain(token);
  });

  test("list prints pages, all of them on demand, and says where more is", async () => {
    const bed = open();
    for (const key of ["a", "b", "c\n"]) await warp(["set", key, `value of ${key}`], bed);
    const page = await warp(["list", "--limit", "2"], bed);
    expect(page.stdout).toBe("a\nb\n");
    const cursor = /--cursor (\S+)/.exec(page.stderr)?.[1] ?? "";
    expect((await warp(["list", "--cursor", cursor], bed)).stdout).toBe('"c\\n"\n');
    expect((await warp(["list", "--limit", "1", "--all", "--values"], bed)).stdout).toBe(
      'a\tvalue of a\nb\tvalue of b\n"c\\n"\t"value of c\\n"\n',
    );
    const lines = (await warp(["list", "--all", "--values", "--json"], bed)).stdout.trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { key: string }).key)).toEqual(["a", "b", "c\n"]);
    expect((await warp(["list", "x"], bed)).stdout).toBe("");
  });

  test("import names failing lines and ends with exit code 1; what export gives, import takes", async () => {
    const bed = open();
    const stdin = '{"key":"a","text":"1"}\nno record\n{"key":"b","json":{"n":2}}\n';
    const ended = await warp(["import", "-"], { ...bed, stdin });
    expect(ended.stdout).toBe("3 lines read, 2 imported, 1 failed\n");
    expect(ended.stderr).toMatch(/^line 2: invalid_json: .*\n$/);
    expect(ended.code).toBe(1);
    const dump = (await warp(["export"], bed)).stdout;
    const copied = await warp(["--space", "copy", "import", "dump"], { ...bed, files: { dump } });
    expect(copied).toMatchObject({ code: 0, stdout: "2 lines read, 2 imported, 0 failed\n" });
    expect((await warp(["--space", "copy", "export"], bed)).stdout).toBe(dump);
    expect((await warp(["import", "nowhere"], bed)).stderr).toMatch(/can't read nowhere: ENOENT/);
  });

  test("invalidate, register, registrations, unregister", async () => {
    const bed = open();
    expect((await warp(["invalidate", "a", "b"], bed)).stdout).toBe("invalidated\n");
    expect((await warp(["invalidate", "--prefix", ""], bed)).code).toBe(0);
    const register = ["register", "user:*", "--mode", "strong", "--set", "cacheTtlMs=10m"];
    expect((await warp(register, bed)).stdout).toMatch(/^user:\* is registered, version \d+\n$/);
    expect((await warp(["register", "user:*"], bed)).code).toBe(4);
    expect((await warp(["registrations"], bed)).stdout).toMatch(/^user:\* +\d+ +strong +cacheTtlMs=600000/m);
    expect((await warp(["unregister", "user:*"], bed)).code).toBe(0);
    expect((await warp(["unregister", "user:*"], bed)).code).toBe(3);
    expect((await warp(["register", "a", "--set", "cacheTtlMs=0"], bed)).code).toBe(2);
  });

  test("CORE-05 operands are merged by the registered rule; set merges too, unless it replaces", async () => {
    const bed = open();
    expect((await warp(["register", "n*", "--merge", "sum"], bed)).code).toBe(0);
    expect((await warp(["merge", "n", "1"], bed)).stdout).toMatch(/^n is at version \d+\n$/);
    await warp(["merge", "n"], { ...bed, stdin: "2" });
    await warp(["merge", "n", "--", "-5"], bed);
    expect((await warp(["get", "n"], bed)).stdout).toBe("-2");
    await warp(["set", "n", "4", "--type", "json"], bed);
    expect((await warp(["get", "n"], bed)).stdout).toBe("2");
    await warp(["set", "n", "9", "--replace"], bed);
    expect((await warp(["get", "n"], bed)).stdout).toBe("9");
    // Names that no path can carry, and tags with commas, go through a batch.
    await warp(["merge", "n/../m", "3", "--tag", "a,b"], bed);
    expect((await warp(["get", "n/../m"], bed)).stdout).toBe("3");
    expect((await warp(["merge", "other", "1"], bed)).code).toBe(4);
    expect((await warp(["merge", "n", "x"], bed)).code).toBe(1);
    expect((await warp(["register", "m", "--merge", "multiply"], bed)).code).toBe(2);
  });

  test("TX1 txn changes several keys or none, from a file or stdin", async () => {
    const bed = open();
    const stdin = JSON.stringify({
      compare: [{ key: "a", exists: false }],
      success: [
        { op: "set", key: "a", text: "1" },
        { op: "set", key: "b\n", base64: "/w==" },
        { op: "delete", key: "c" },
        { op: "get", key: "a" },
        { op: "get", key: "b\n" },
        { op: "get", key: "c" },
      ],
      failure: [{ op: "get", key: "a" }],
    });
    const done = await warp(["txn"], { ...bed, stdin });
    expect(done.code).toBe(0);
    expect(done.stdout.replaceAll(/version \d+/g, "version N").split("\n")).toEqual([
      "succeeded",
      "a is at version N",
      '"b\\n" is at version N',
      "c was not there",
      "a\t1",
      '"b\\n"\t(1 bytes of application/octet-stream)',
      "c is not there",
      "",
    ]);
    const again = await warp(["txn", "file.json"], { ...bed, files: { "file.json": stdin } });
    expect(again).toMatchObject({ code: 4, stdout: "did not succeed\na\t1\n", stderr: "" });
    const json = JSON.parse((await warp(["txn", "-", "--json"], { ...bed, stdin })).stdout) as object;
    expect(json).toMatchObject({
      succeeded: false,
      version: 0,
      results: [{ op: "get", key: "a", text: "1" }],
    });
    expect((await warp(["txn"], { ...bed, stdin: "{" })).stderr).toMatch(/not valid JSON/);
    expect((await warp(["txn"], bed)).stderr).toMatch(/give FILE or pipe it in/);
    expect((await warp(["txn", "nowhere"], bed)).code).toBe(2);
    const twice = '{"success":[{"op":"delete","key":"a"},{"op":"delete","key":"a"}]}';
    expect((await warp(["txn"], { ...bed, stdin: twice })).code).toBe(2);
  });

  test("OU3 resolve tells what became of a change, and settles one that was not seen", async () => {
    const bed = open();
    const { opId } = JSON.parse((await warp(["set", "a", "1", "--json"], bed)).stdout) as { opId: string };
    expect((await warp(["resolve", opId], bed)).stdout).toMatch(/^ok, version \d+\n$/);
    // Another one of the same moment.
    const other = opId.slice(0, -1) + (opId.endsWith("0") ? "1" : "0");
    expect((await warp(["resolve", other, "--key", "a"], bed)).stdout).toBe("unseen\n");
    expect((await warp(["resolve", other, "--key", "a", "--seal"], bed)).stdout).toBe("sealed\n");
    const late = await warp(["set", "a", "2", "--op-id", other], bed);
    expect(late.code).toBe(4);
    expect(late.stderr).toMatch(/^warp: op_sealed: /);
    expect((await warp(["resolve", opId, "--index", "0"], bed)).stdout).toBe("unseen\n");
    const failed = await warp(["set", "a", "2", "--if-absent", "--op-id", `${opId.slice(0, -2)}ab`], bed);
    expect(failed.code).toBe(4);
    expect((await warp(["resolve", `${opId.slice(0, -2)}ab`], bed)).stdout).toMatch(
      /^fail: precondition_failed: /,
    );
    expect((await warp(["resolve", "x"], bed)).code).toBe(2);
  });

  test("token mint prints the token alone, and it works", async () => {
    const bed = open();
    await warp(["set", "user:1", "Ada"], bed);
    const minted = await warp(["token", "mint", "--subject", "web", "--prefix", "user:"], bed);
    const env = { WARP_TOKEN: minted.stdout.trimEnd() };
    expect((await warp(["get", "user:1"], { ...bed, env })).stdout).toBe("Ada");
    expect((await warp(["set", "user:1", "Eve"], { ...bed, env })).code).toBe(5);
    expect((await warp(["get", "other"], { ...bed, env })).code).toBe(5);
  });

  test("health says that it is ready", async () => {
    expect((await warp(["health"], open())).stdout).toBe("warp 1.2.3 is ready\n");
  });
});

describe("what is sent", () => {
  test.each([
    [["restore", "a/b", "7"], "POST", "/v1/default/restore/a%2Fb", { version: 7 }],
    [
      ["history", "a", "--limit", "2", "--before", "9"],
      "GET",
      "/v1/default/history/a?before=9&limit=2",
      undefined,
    ],
    [["get", "a", "--version", "3"], "GET", "/v1/default/keys/a?version=3", undefined],
    [
      ["get", "a", "--at", "2026-01-01T00:00:00Z"],
      "GET",
      "/v1/default/keys/a?at=2026-01-01T00%3A00%3A00Z",
      undefined,
    ],
    [["invalidate", "--tag", "x", "--tag", "y"], "POST", "/v1/default/invalidate", { tags: ["x", "y"] }],
    [["invalidate", "--prefix", "p"], "POST", "/v1/default/invalidate", { prefix: "p" }],
    [["space", "create", "--shards", "4", "--strict"], "PUT", "/v1/default", { shards: 4, strict: true }],
    [
      [
        "space",
        "create",
        "--storage",
        "upstash",
        "--write",
        "through",
        "--through-timeout",
        "1s",
        "--keep-bytes",
        "0",
      ],
      "PUT",
      "/v1/default",
      { storage: { name: "upstash", write: "through", throughTimeoutMs: 1_000, keepBytes: 0 } },
    ],
    [["space", "create", "--fallback", "upstash"], "PUT", "/v1/default", { fallback: "upstash" }],
    [["space", "delete", "old"], "DELETE", "/v1/old", undefined],
    [
      ["register", "a", "--mode", "strong", "--quorum", "2", "--min-zones", "2", "--merge", "max"],
      "PUT",
      "/v1/default/registrations/a",
      { mode: "strong", quorum: 2, minZones: 2, merge: "max" },
    ],
    [
      [
        "register",
        "a",
        "--set",
        'history={"versions":3}',
        "--set",
        "loadSharing=space",
        "--set",
        "jitter=0.1",
      ],
      "PUT",
      "/v1/default/registrations/a",
      { history: { versions: 3 }, loadSharing: "space", jitter: 0.1 },
    ],
  ])("%j", async (argv, method, path, body) => {
    const { fetch, sent } = recorder({ versions: [], key: "a", version: 1, pattern: "a", name: "a" });
    const ended = await warp(argv, { fetch });
    expect(ended.stderr).toBe("");
    expect(sent).toMatchObject([{ method, url: `http://127.0.0.1:8787${path}` }]);
    if (body !== undefined) expect(sent[0]?.body).toEqual(body);
  });

  test("flags beat the environment, an empty variable counts as none", async () => {
    const { fetch, sent } = recorder({ registrations: [] });
    const env = { WARP_URL: "http://env", WARP_SPACE: "env", WARP_TOKEN: "env-token" };
    await warp(["registrations"], { fetch, env });
    await warp(
      ["--url=http://flag/", "--space", "flag", "registrations", "--token", "flag-token", "--timeout", "2s"],
      {
        fetch,
        env,
      },
    );
    await warp(["registrations"], { fetch, env: { WARP_URL: "", WARP_SPACE: "", WARP_TOKEN: "" } });
    expect(sent.map(({ url, headers }) => [url, headers.Authorization, headers["Warp-Timeout-Ms"]])).toEqual([
      ["http://env/v1/env/registrations", "Bearer env-token", "10000"],
      ["http://flag/v1/flag/registrations", "Bearer flag-token", "2000"],
      ["http://127.0.0.1:8787/v1/default/registrations", undefined, "10000"],
    ]);
  });
});

describe("how it ends", () => {
  test("OU1 an unknown outcome is exit code 6 and names the op id to repeat the command with", async () => {
    const ended = await warp(["set", "a", "1"], { fetch: failing("ECONNRESET") });
    expect(ended.code).toBe(6);
    expect(ended.stderr).toMatch(
      /^warp: unavailable: .*; it may have been done \(--op-id [0-9a-f-]{36}\)\n$/,
    );
    const opId = "019a0000-0000-7000-8000-000000000000";
    const again = await warp(["set", "a", "1", "--op-id", opId, "--json"], { fetch: failing("ECONNRESET") });
    expect(JSON.parse(again.stderr)).toMatchObject({
      code: "unavailable",
      outcome: "unknown",
      details: { opId },
    });
  });

  test("a server that is not there is exit code 6", async () => {
    const ended = await warp(["get", "a"], { fetch: failing("ECONNREFUSED") });
    expect(ended).toMatchObject({
      code: 6,
      stderr: "warp: unavailable: the server can't be reached (ECONNREFUSED)\n",
    });
  });

  test("a server's message stays on one line and moves no cursor", async () => {
    const problem = { code: "internal", detail: "one\ntwo\u001b[2J", outcome: "fail", retryable: false };
    const { fetch } = recorder(problem, 500);
    expect((await warp(["get", "a"], { fetch })).stderr).toBe("warp: internal: one two [2J\n");
  });

  test("an import that the authority stopped ends with that error's exit code", async () => {
    const stopped = { code: "unavailable", message: "gone", outcome: "unknown", retryable: true };
    const fetch = answering(
      200,
      `${JSON.stringify({ done: { lines: 5, imported: 2, failed: 3, stopped } })}\n`,
    );
    const ended = await warp(["import", "-"], { fetch, stdin: "x" });
    expect(ended).toMatchObject({ code: 6, stdout: "5 lines read, 2 imported, 3 failed\n" });
    expect(ended.stderr).toContain("the import stopped: gone");
  });

  test("a terminal sees one line of progress, a log sees lines only now and then", async () => {
    const progress = (lines: number) =>
      `${JSON.stringify({ progress: { lines, imported: lines, failed: 0 } })}\n`;
    const done = `${JSON.stringify({ done: { lines: 9, imported: 9, failed: 0 } })}\n`;
    const fetch = answering(200, progress(3) + progress(6) + done);
    const terminal = await warp(["import", "-"], { fetch, stdin: "x", tty: true });
    expect(terminal.stderr).toBe(
      "\r\u001b[K3 lines read, 3 imported, 0 failed\r\u001b[K6 lines read, 6 imported, 0 failed\r\u001b[K",
    );
    expect((await warp(["import", "-"], { fetch, stdin: "x" })).stderr).toBe("");
  });

  test("a reader that has gone is exit code 141, without a word", async () => {
    const { fetch } = recorder({ items: [{ key: "a" }] });
    const write = () => Promise.reject(new OutputClosed("gone"));
    expect(await warp(["list", "--all"], { fetch, write })).toMatchObject({ code: 141, stderr: "" });
  });

  test.each(errorCodes.map((code) => [code] satisfies [ErrorCode]))(
    "the code %s has an exit code from 1 to 6",
    async (code) => {
      const { fetch } = recorder({ code, detail: "x", outcome: "fail", retryable: false }, 400);
      const ended = await warp(["get", "a"], { fetch });
      expect(ended.code).toBeGreaterThanOrEqual(1);
      expect(ended.code).toBeLessThanOrEqual(6);
      if (/^invalid_(?!json|line|value)/.test(code)) expect(ended.code).toBe(2);
      if (code === "not_found" || /_not_found$/.test(code)) expect(ended.code).toBe(3);
      if (code.startsWith("token_") || code.endsWith("forbidden")) expect(ended.code).toBe(5);
    },
  );
});
