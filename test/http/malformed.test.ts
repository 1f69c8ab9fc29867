import { describe, expect, it } from "vitest";
import { hmacKey, signToken } from "../../src/auth/token.ts";
import { errorCodes } from "../../src/errors.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { coreBed, fakeBed, secret } from "./bed.ts";

/** Mulberry32: small, seeded, good enough to make a mess. */
function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const mark = "MARKED-FOR-OTHERS";
const requests = 6_000;

const methods = [
  "GET",
  "GET",
  "GET",
  "PUT",
  "PUT",
  "POST",
  "POST",
  "DELETE",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "PURGE",
];
const spaces = [
  "mine",
  "mine",
  "mine",
  "mine",
  "other",
  "mine2",
  "%6dine",
  "MINE",
  "..",
  "",
  "mi%ne",
  "\u00e9",
  "mine%2F..%2Fother",
  "x".repeat(70),
];
const resources = [
  "keys",
  "keys",
  "keys",
  "batch",
  "import",
  "export",
  "invalidate",
  "registrations",
  "registrations",
  "history",
  "restore",
  "warmup",
  "txn",
  "operations",
  "locks",
  "locks",
  "elections",
  "leases",
  "leases",
  "watch",
  "changes",
  "publish",
  "nope",
  "",
];
const keys = [
  "in/a",
  "in/b",
  "in/*",
  "*",
  "out/a",
  "in%2Fa",
  "in/../out/a",
  "../other/keys/out/a",
  "%2e%2e/other/keys/a",
  "%00",
  "%",
  "%zz",
  "%FF",
  "%C3",
  "",
  "/",
  "//",
  "a".repeat(513),
  "%41".repeat(600),
  "in/\u00e9",
  "\ufffd",
  "in/{tag}x",
  "in/ a",
  "in/\\..\\b",
  "in/%0d%0aSet-Cookie:x",
  "in/a;b=c",
  "__proto__",
  "constructor",
  "toString",
];
const queries = [
  "",
  "",
  "",
  "?prefix=in/",
  "?prefix=in/&limit=1&values=true",
  "?prefix=",
  "?prefix=out/",
  "?key=in/a",
  "?prefix=in/&from=snapshot",
  "?prefix=in/&since=00000000000000aa.1",
  "?prefix=in/&since=~~~&waitMs=0",
  "?limit=0",
  "?limit=999999999999",
  "?limit=NaN",
  "?cursor=x",
  "?cursor=eyJhIjoxfQ",
  "?cursor=%FF",
  "?version=1",
  "?version=1e9",
  "?at=2026-01-01T00:00:00Z",
  "?at=99999999999999",
  "?at=2026-01-01",
  "?allowStale=true",
  "?before=5&limit=2",
  "?tags=a,b",
  "?tags=,,",
  "?expiresInMs=5",
  "?expiresInMs=-5",
  "?expiresInMs=1e999",
  "?values=maybe&prefix=in/",
  "?prefix=in/&prefix=out/",
  "?%",
  "?__proto__=1",
  "?&&&",
  "?=",
  "?prefix=in/&cursor=AAAA",
  "?at=1",
  "?key=in/a",
  "?key=out/a&index=0",
  "?key=&index=-1",
  "?replace=true",
  "?owner=me&fence=1",
  "?owner=me&ticket=t",
  "?force=true",
  "?after=x&waitMs=1",
  "?lease=aaaaaaaaaaaaaaaa",
];
const headerValues: Readonly<Record<string, readonly string[]>> = {
  "If-Match": [
    "*",
    '"x"',
    "x",
    'W/"x"',
    '"',
    `"${"x".repeat(3_000)}"`,
    Array.from({ length: 200 }, () => '"x"').join(","),
    '"1"',
    '"00000000000000aa.1"',
  ],
  "If-None-Match": ["*", '"x"', ",,,", "\t", '"00000000000000aa.1"'],
  "Warp-Op-Id": [
    "x",
    "01900000-0000-7000-8000-000000000001",
    "../..",
    "01900000-0000-7000-8000-00000000000G",
  ],
  "Warp-Timeout-Ms": ["100", "0", "-1", "1e9", "120001", "NaN", " 500 "],
  "Warp-Request-Id": ["ok", "not ok", "<script>", "x".repeat(100)],
  "Content-Type": [
    "application/json",
    "application/x-ndjson",
    "text/plain",
    "text/html",
    "rubbish",
    'application/json; charset="',
    "multipart/form-data; boundary=x",
    "x/y;".repeat(90),
  ],
  "Content-Encoding": ["gzip", "identity", "br, gzip"],
  Origin: ["http://localhost", "https://evil.example", "null", "::", "http://"],
  "Access-Control-Request-Method": ["PUT", "x"],
  Range: ["bytes=0-0", "rubbish"],
  Expect: ["100-continue", "x"],
};
const aims = [
  ["GET", "keys"],
  ["HEAD", "keys"],
  ["PUT", "keys"],
  ["DELETE", "keys"],
  ["POST", "keys"],
  ["POST", "txn"],
  ["POST", "txn"],
  ["GET", "operations"],
  ["POST", "seal"],
  ["GET", "list"],
  ["GET", "export"],
  ["POST", "batch"],
  ["POST", "batch"],
  ["POST", "import"],
  ["POST", "import"],
  ["POST", "invalidate"],
  ["GET", "registrations"],
  ["PUT", "registrations"],
  ["DELETE", "registrations"],
  ["POST", "locks"],
  ["PATCH", "locks"],
  ["GET", "locks"],
  ["DELETE", "locks"],
  ["POST", "elections"],
  ["PATCH", "elections"],
  ["GET", "elections"],
  ["POST", "leases"],
  ["GET", "leases"],
  ["PUT", "lease"],
  ["GET", ""],
  ["PUT", ""],
  ["POST", "/tokens"],
] as const;
const opIds = [
  "01bc7ccd-b800-7000-8000-000000000001",
  "01bc7ccd-b800-7000-8000-000000000001",
  "01BC7CCD-B800-7000-8000-000000000001",
  "01900000-0000-7000-8000-000000000001",
  "x",
  "",
  "%ff",
  "..",
  "a/b",
];
const leaseIds = ["aaaaaaaaaaaaaaaa", "AAAAAAAAAAAAAAAA", "%ff", "..", "a", "%2F", ""];
const bodies = [
  '{"owner":"me","ttlMs":1000}',
  '{"owner":"me","ttlMs":1e99}',
  '{"owner":"me","fence":1}',
  '{"owner":"me","fence":1,"json":{"x":1}}',
  '{"owner":{},"fence":"1"}',
  '{"owner":"\\ud800","kind":"semaphore","permits":3,"take":2}',
  '{"owner":"me","ticket":"\\u0000"}',
  '{"kind":"constructor","permits":-1}',
  '{"ttlMs":1000,"onEnd":"delete"}',
  '{"ttlMs":1000,"maxLifeMs":1}',
  '{"ids":["aaaaaaaaaaaaaaaa",5]}',
  '{"compare":[{"key":"in/a","exists":true}],"success":[{"op":"set","key":"in/a","json":1},{"op":"get","key":"in/b"}],"failure":[{"op":"merge","key":"in/a","json":1}]}',
  '{"success":[{"op":"get","key":"out/a"}]}',
  '{"compare":[{"key":"out/a","exists":true}]}',
  '{"compare":[{"key":"in/a","version":1e99},{"key":"in/a"}]}',
  '{"compare":[{"key":"in/a","base64":"////"},{"key":"in/b","ifNoneMatch":"*"}],"success":[{"op":"delete","key":"in/b"}]}',
  '{"success":[{"op":"set","key":"in/a","text":"1"},{"op":"delete","key":"in/a"}]}',
  '{"success":{"length":3},"failure":[[]]}',
  '{"key":"in/a"}',
  '{"key":"out/a","index":0}',
  '{"merge":"sum"}',
  '{"merge":"append","mergeMaxElements":2}',
  '{"merge":"constructor"}',
  '{"mode":"strong","quorum":1}',
  '{"operations":[{"op":"merge","key":"in/a","json":1},{"op":"set","key":"in/a","json":{},"replace":true}]}',
  '{"key":"in/a","json":1,"merge":true}',
  "",
  "{",
  "[]",
  "null",
  "5",
  '""',
  "{}",
  '{"shards":2}',
  '{"shards":-1}',
  '{"strict":true,"strict":false}',
  '{"shards":1e999}',
  '{"operations":[{"op":"set","key":"in/a","json":{"x":1}},{"op":"get","key":"in/a"},{"op":"get","key":"out/a"},{"op":"delete","key":"in/b"},{"op":"invalidate","key":"in/b"}]}',
  '{"operations":[{"op":"get","key":"in/a"},5,null,[]]}',
  '{"operations":[{"op":"get","key":{"toString":1}}]}',
  '{"operations":{"length":5}}',
  '{"operations":[{"op":"set","key":"in/\\ud800","text":"x"},{"op":"set","key":"in/c","text":"\\udfff"},{"op":"set","key":"in/d","json":null,"expiresInMs":1e308}]}',
  '{"operations":[{"op":"set","key":"in/a","text":"v","ifMatch":{}},{"op":"set","key":"in/a","text":"v","opId":"x"},{"op":"delete","key":"","ifNoneMatch":[]}]}',
  '{"keys":["in/a","out/a"]}',
  '{"keys":["in/a"]}',
  '{"prefix":"in/"}',
  '{"prefix":""}',
  '{"prefix":"in/","scope":"local"}',
  '{"keys":[null]}',
  '{"__proto__":{"keys":["in/a"]}}',
  '{"key":"in/a","json":1}\n{"key":"in/b","text":"x"}\nrubbish\n{"key":"out/a","text":"x"}\n',
  '{"key":"in/a","base64":"////","contentType":"a/b"}\r\n\r\n',
  "\n\n\n",
  '{"key":5}\n[]\nnull\n"x"',
  '{"version":1}',
  '{"version":1e99}',
  '{"patterns":["in/*"],"width":2}',
  '{"patterns":["*"]}',
  '{"patterns":[{}]}',
  '{"tags":["t"]}',
  '{"tags":["t","t",""]}',
  '{"key":"in/a","text":"v","tags":["t"]}',
  '{"key":"in/a","text":"v","tags":{"length":1e9}}',
  '{"operations":[{"op":"set","key":"in/a","text":"v","tags":["\\ud800"]}]}',
  '{"history":{"versions":3},"graceMs":5}',
  '{"adaptive":{"kind":"window"},"jitter":-1}',
  '{"mode":"strong"}',
  '{"mode":"eventual","cacheTtlMs":5}',
  '{"mode":5}',
  '{"cacheTtlMs":"x","maxStalenessMs":null}',
  '{"mode":"StrongLocal","extra":1}',
  '{"subject":"x","spaces":["mine"],"prefixes":["in/"],"verbs":["read"],"expiresInMs":1000}',
  '{"subject":"x","spaces":["*"],"verbs":["admin"]}',
  '{"subject":"\\u0000","spaces":[""],"verbs":[]}',
  `{"deep":${"[".repeat(2_000)}${"]".repeat(2_000)}}`,
  `"${"x".repeat(70_000)}"`,
  "\ufeff{}",
];

describe("SE4 random and malformed requests", () => {
  it.each([
    ["stand-in spaces", fakeBed],
    ["the core", coreBed],
  ])(
    `get an answer with a code each, no 5xx, and no byte of another space (${requests} of them, over %s)`,
    {
      timeout: 120_000,
    },
    async (_, makeBed) => {
      const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
      console.log(`malformed requests: seed ${seed}`);
      const random = seeded(seed);
      const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
      const bed = makeBed({ maxValueBytes: 50_000 });
      const plant = async (space: string, key: string) => {
        const body = `${mark} ${space}`;
        const response = await bed.call("PUT", `/v1/${space}/keys/${key}`, { body });
        expect(response.status).toBeLessThan(300);
      };
      for (const key of ["in/a", "in/b", "out/a", `in/${mark}`]) await plant("other", key);
      for (const key of ["out/a", "outer", mark]) await plant("mine", key);
      await bed.call("PUT", `/v1/other/registrations/${mark}*`);

      const claims = {
        sub: "me",
        spaces: ["mine"],
        prefixes: ["in/"],
        iat: 0,
        jti: "j",
        exp: bed.clock.nowMs / 1_000 + 60,
      };
      const key = await hmacKey(secret);
      const own = await signToken({ ...claims, verbs: ["admin"] }, key);
      const reader = await signToken({ ...claims, verbs: ["read"] }, key);
      const expired = await signToken({ ...claims, verbs: ["admin"], exp: 5 }, key);
      const bearers = [own, own, own, own, reader, expired, `${own}x`, "..", "Bearer", undefined];

      const mess = (text: string): Uint8Array => {
        const bytes = utf8(text);
        if (random() < 0.7 || bytes.length === 0) return bytes;
        for (let i = 0; i < 3; i++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
        return random() < 0.5 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes;
      };
      // Most requests aim at a route with its method and a good token, so that they get past the first walls; the rest are wild.
      const aimed = (): readonly [string, string] => {
        const [method, resource] = pick(aims);
        const deep = ["keys", "registrations", "locks", "elections"].includes(resource);
        const space = random() < 0.9 ? "mine" : pick(spaces);
        if (resource === "list") return [method, `/v1/${space}/keys`];
        if (resource === "operations" || resource === "seal") {
          const opId = pick(opIds);
          return [method, `/v1/${space}/operations/${opId}${resource === "seal" ? "/seal" : ""}`];
        }
        if (resource === "lease") return [method, `/v1/${space}/leases/${pick(leaseIds)}/keys`];
        if (resource === "/tokens") return [method, resource];
        if (resource === "") return [method, `/v1/${space}`];
        return [method, `/v1/${space}/${resource}${deep ? `/${random() < 0.4 ? "in/a" : pick(keys)}` : ""}`];
      };
      const wild = (): readonly [string, string] => {
        if (random() < 0.2)
          return [pick(methods), pick(["/", "/healthz", "/readyz", "/nope", "/v1", "//", "/v1/"])];
        return [
          pick(methods),
          `/v1/${pick(spaces)}/${pick(resources)}${random() < 0.5 ? `/${pick(keys)}` : ""}`,
        ];
      };

      const seen = new Map<string, number>();
      for (let i = 0; i < requests; i++) {
        const aim = random() < 0.8;
        const [method, path] = aim ? aimed() : wild();
        const url = `http://localhost${path}${random() < 0.6 ? "" : pick(queries)}`;
        const headers = new Headers({ "Content-Type": "application/json" });
        const bearer = aim && random() < 0.9 ? own : pick(bearers);
        if (bearer !== undefined) headers.set("Authorization", `Bearer ${bearer}`);
        for (const name in headerValues) {
          if (random() < (name === "Content-Type" ? 0.7 : 0.06))
            headers.set(name, pick(headerValues[name] ?? []));
        }
        const body = method === "GET" || method === "HEAD" || random() < 0.1 ? null : mess(pick(bodies));
        const request = new Request("http://localhost/", { method, headers, body: body as BodyInitLike });
        // The URL as a client may write it on the wire; `new Request` would tidy it.
        Object.defineProperty(request, "url", { value: url });
        const response = await bed.app.fetch(request);
        const text = new TextDecoder().decode(await response.arrayBuffer());
        const story = `seed ${seed}, request ${i}: ${method} ${url} -> ${response.status} ${text.slice(0, 300)}`;
        if (text.includes(mark) || JSON.stringify([...response.headers]).includes(mark))
          expect.fail(`a byte of another: ${story}`);
        if (response.status >= 500) expect.fail(story);
        if (response.status >= 400) {
          if (response.headers.get("Content-Type") !== "application/problem+json")
            expect.fail(`no problem: ${story}`);
          if (method === "HEAD") continue;
          const { code } = JSON.parse(text) as { code: (typeof errorCodes)[number] };
          if (!errorCodes.includes(code)) expect.fail(`no code: ${story}`);
          seen.set(code, (seen.get(code) ?? 0) + 1);
        } else seen.set("ok", (seen.get("ok") ?? 0) + 1);
      }
      // A mess that only ever meets one wall would show nothing.
      expect(seen.get("ok") ?? 0, JSON.stringify([...seen])).toBeGreaterThan(requests / 25);
      expect(seen.size, JSON.stringify([...seen])).toBeGreaterThan(20);
      expect(bed.logged).toEqual([]);
    },
  );
});

type BodyInitLike = NonNullable<RequestInit["body"]>;
