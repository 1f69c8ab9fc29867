import { describe, expect, test } from "vitest";
import { errorCodes } from "../../src/errors.ts";
import { fakeBed, problemOf } from "./bed.ts";

/** What a caller did wrong, and what it is told. */
const faults: readonly [string, string, string | undefined, string, object][] = [
  [
    "GET",
    "/v1/s/keys?limit=0",
    undefined,
    '"limit" must be a whole number, 1 to 1000',
    { field: "limit", min: 1, max: 1000 },
  ],
  [
    "GET",
    "/v1/s/keys?limit=a",
    undefined,
    '"limit" must be a whole number, 1 to 1000',
    { field: "limit", min: 1, max: 1000 },
  ],
  ["GET", "/v1/s/keys?values=yes", undefined, '"values" must be one of "true", "false"', { field: "values" }],
  ["GET", "/v1/s/keys?ttl=5", undefined, 'the query has an unknown parameter "ttl"', { field: "ttl" }],
  [
    "PUT",
    "/v1/s",
    '{"shards":257}',
    '"shards" must be a whole number, 1 to 256',
    { field: "shards", min: 1, max: 256 },
  ],
  ["PUT", "/v1/s", '{"shards":"2"}', '"shards" must be a number', { field: "shards" }],
  ["PUT", "/v1/s", '{"strict":1}', '"strict" must be true or false', { field: "strict" }],
  ["PUT", "/v1/s", '{"shrds":2}', 'the body has an unknown member "shrds"', { field: "shrds" }],
  ["POST", "/v1/s/batch", "{}", '"operations" is missing', { field: "operations" }],
  ["POST", "/v1/s/batch", '{"operations":{}}', '"operations" must be an array', { field: "operations" }],
  [
    "POST",
    "/v1/s/batch",
    '{"operations":[{"op":"get"}]}',
    'operation 0: "key" is missing',
    { field: "key", operation: 0 },
  ],
  [
    "POST",
    "/v1/s/batch",
    '{"operations":[{"op":"incr","key":"a"}]}',
    'operation 0: "op" must be one of "get", "set", "merge", "delete", "invalidate"',
    { field: "op", operation: 0 },
  ],
  [
    "POST",
    "/v1/s/batch",
    '{"operations":[{"key":"a"}]}',
    'operation 0: "op" is missing',
    { field: "op", operation: 0 },
  ],
];

describe("what a caller is told", () => {
  test.each(faults)(
    "OU4 %s %s %s names the field and its range",
    async (method, path, body, detail, details) => {
      const { call } = fakeBed();
      const headers: Record<string, string> =
        body === undefined ? {} : { "Content-Type": "application/json" };
      const problem = await problemOf(
        await call(method, path, { headers, ...(body === undefined ? {} : { body }) }),
      );
      expect(problem.detail).toBe(detail);
      expect(problem.details).toEqual(details);
    },
  );

  test("every JSON answer ends in a newline, so that a shell's prompt stands on a line of its own", async () => {
    const { call } = fakeBed();
    await call("PUT", "/v1/s/keys/a", { body: "v" });
    for (const path of ["/", "/healthz", "/errors", "/v1/s/keys", "/v1/s/keys/nope", "/v1/s/registrations"]) {
      expect(await (await call("GET", path)).text(), path).toMatch(/^\{[^\n]*\}\n$/);
    }
  });

  test("/ lists every route, and /errors every code", async () => {
    const { call } = fakeBed();
    const about = (await (await call("GET", "/")).json()) as { reference: string; routes: string[] };
    expect(about.routes).toContain("PUT /v1/{space}/keys/{key}");
    expect(about.routes).toContain("GET /");
    expect(about.reference).toBe("/docs");
    const { errors } = (await (await call("GET", "/errors")).json()) as { errors: { code: string }[] };
    expect(errors.map(({ code }) => code).sort()).toEqual([...errorCodes].sort());
  });
});
