import { describe, expect, test } from "vitest";
import { isWarpError } from "../../src/errors.ts";
import { decodeClientFrame, decodeServerFrame, encodeFrame } from "../../src/protocol/wire/codec.ts";
import { beatFrame, type ClientFrame, type ServerFrame } from "../../src/protocol/wire/frames.ts";
import { isShallow } from "../../src/protocol/wire/nesting.ts";
import { readCall, type WireCall, wireMethods } from "../../src/protocol/wire/requests.ts";
import { maxFrameBytes } from "../../src/runtime/limits.ts";
import { type Seeded, seeded } from "../support/seeded.ts";

const scope = { space: "app", shard: 0, spaceId: "a1", registrations: 0 };
const payload = { bytes: Uint8Array.of(0, 255, 34, 92), contentType: "a/b" };
const place = { name: "jobs", owner: "me" };
const opId = "01930f6e-7a00-7000-8000-000000000000/web";

const guard = { lock: "jobs", fence: 7 };

/** One good call of each method. */
const calls: readonly WireCall[] = [
  { m: "read", a: [{ ...scope, keys: ["a", "\ud800", "é"], strong: true, hold: true }] },
  {
    m: "mutate",
    a: [
      {
        ...scope,
        mutations: [
          { kind: "set", opId, key: "k", payload, expiresInMs: 5, tags: ["t"], when: { anyOf: "*" } },
          { kind: "merge", opId, key: "k", operand: payload, lease: "lease0123456789ab" },
          { kind: "restore", opId, key: "k", version: 3 },
          { kind: "delete", opId, key: "k", when: { noneOf: ["a.1"] } },
          // Left out, a guard would let through what it was to refuse.
          { kind: "set", opId, key: "k", payload, guard },
          { kind: "merge", opId, key: "k", operand: payload, guard },
          { kind: "restore", opId, key: "k", version: 3, guard },
          { kind: "delete", opId, key: "k", guard },
          { kind: "invalidate", opId, key: "k" },
          { kind: "invalidatePrefix", opId, prefix: "" },
          { kind: "invalidateTag", opId, tag: "t" },
        ],
      },
    ],
  },
  {
    m: "transact",
    a: [
      {
        ...scope,
        transaction: {
          opId,
          compare: [
            { key: "a", version: 1, is: "less" },
            { key: "a", exists: false },
            { key: "a", value: payload.bytes },
            { key: "a", when: { anyOf: "*" } },
            { key: "jobs", fence: 7 },
          ],
          success: [
            { kind: "set", key: "a", payload, replace: true },
            { kind: "merge", key: "b", operand: payload },
            { kind: "delete", key: "c" },
            { kind: "get", key: "d" },
            { kind: "set", key: "e", payload, guard },
            { kind: "merge", key: "f", operand: payload, guard },
            { kind: "delete", key: "g", guard },
          ],
          failure: [],
        },
      },
    ],
  },
  { m: "resolve", a: [{ ...scope, opIds: [opId], seal: true }] },
  { m: "list", a: [{ ...scope, prefix: "", after: "k", limit: 10, values: true }] },
  { m: "changes", a: [{ ...scope, epoch: "00000000000000aa", since: 0, limit: 10_000 }] },
  { m: "usage", a: [scope] },
  { m: "readVersion", a: [{ ...scope, key: "k", which: { version: 3 } }] },
  { m: "history", a: [{ ...scope, key: "k", before: 3, limit: 10 }] },
  { m: "claimLoad", a: [{ ...scope, key: "k", holder: "h", ttlMs: 100, waitMs: 0, release: true }] },
  { m: "getSpace", a: ["app"] },
  { m: "createSpace", a: ["app", { shards: 2, strict: true }] },
  { m: "deleteSpace", a: ["app", "begin", "a1"] },
  { m: "getRegistrations", a: [{ ...scope, spaceId: undefined }] },
  {
    m: "register",
    a: [
      {
        ...scope,
        pattern: "a:*",
        settings: { mode: "strong", cacheTtlMs: 1, maxStalenessMs: 1 },
        ifVersion: 3,
      },
    ],
  },
  { m: "unregister", a: [{ ...scope, pattern: "a:*" }] },
  {
    m: "lock",
    a: [
      {
        ...scope,
        commands: [
          {
            kind: "acquire",
            opId,
            ...place,
            as: "semaphore",
            ttlMs: 1_000,
            permits: 3,
            take: 2,
            waitMs: 5,
            delayMs: 1,
            value: payload,
            endsWithSession: true,
          },
          { kind: "claim", opId, ...place, ticket: "t" },
          { kind: "cancel", opId, ...place, ticket: "t" },
          { kind: "renew", opId, ...place, fence: 7, ttlMs: 100 },
          { kind: "release", opId, ...place, fence: 7 },
          { kind: "confirm", opId, ...place, fence: 7 },
          { kind: "proclaim", opId, ...place, fence: 7, value: payload },
          { kind: "force", opId, name: "jobs", fence: 7, by: "web" },
        ],
      },
    ],
  },
  { m: "waitLock", a: [{ ...scope, ...place, ticket: "t", waitMs: 25_000 }] },
  { m: "lockInfo", a: [{ ...scope, name: "jobs" }] },
  { m: "listLocks", a: [{ ...scope, prefix: "j", after: "jobs", limit: 10 }] },
  { m: "observe", a: [{ ...scope, name: "jobs", after: 3, epoch: "00000000000000aa", waitMs: 0 }] },
  {
    m: "lease",
    a: [
      {
        ...scope,
        commands: [
          { kind: "grant", opId, id: "lease0123456789ab", ttlMs: 1_000, onEnd: "delete", maxLifeMs: 9_000 },
          { kind: "grant", opId, id: "lease0123456789ab", ttlMs: 1_000, onEnd: "invalidate" },
          { kind: "keepAlive", opId, id: "lease0123456789ab" },
          { kind: "revoke", opId, id: "lease0123456789ab" },
          { kind: "attach", opId, id: "lease0123456789ab", keys: ["a", "b"] },
          { kind: "detach", opId, id: "lease0123456789ab", keys: [] },
        ],
      },
    ],
  },
  { m: "leaseInfo", a: [{ ...scope, id: "lease0123456789ab" }] },
  { m: "listLeases", a: [{ ...scope, after: "lease", limit: 10 }] },
  { m: "leaseKeys", a: [{ ...scope, id: "lease0123456789ab", after: "a", limit: 1_000 }] },
  {
    m: "publish",
    a: [
      {
        ...scope,
        opId: "op",
        target: { prefix: "" },
        payload: { bytes: new Uint8Array([0, 10, 255]), contentType: "a/b" },
        retained: true,
      },
    ],
  },
];

const clientFrames: readonly ClientFrame[] = [
  { t: "hello", v: 1, node: "node-0001", zone: "z", cursor: { epoch: "00000000000000aa", revision: 7 } },
  { t: "hello", v: 1, node: "node-0001", follow: false },
  { t: "beat" },
  { t: "ping", id: 3, lease: true },
  { t: "ack", inv: 2 },
  { t: "seen", n: 3 },
  { t: "bye" },
  { t: "sub", id: 1, key: "a", mode: "all", from: "now" },
  { t: "sub", id: 2, prefix: "", mode: "keys", from: "snapshot", ops: ["set", "publish"] },
  { t: "sub", id: 3, prefix: "\u0000", mode: "latest", from: { epoch: "0123456789abcdef", revision: 7 } },
  { t: "unsub", id: 1 },
  { t: "auth", id: 4, token: "t" },
  ...calls.map(({ m, a }, id) => ({ t: "call" as const, id, m, a })),
];

const serverFrames: readonly ServerFrame[] = [
  {
    t: "welcome",
    session: "s",
    subject: "web",
    epoch: "e",
    revision: 3,
    heartbeatMs: 1,
    leaseMs: 0,
    maxFrameBytes: 5,
    resumed: "gap",
    shards: 4,
    expiresAtMs: 6,
  },
  { t: "ok", id: 1, r: { epoch: "e", asOf: 1, registrations: 0, entries: [null, { key: "k", payload }] } },
  { t: "err", id: 1, e: { code: "overloaded", message: "m", outcome: "fail", retryable: true } },
  {
    t: "ev",
    epoch: "e",
    after: 1,
    to: 3,
    es: [
      [2, "set", "k"],
      [3, "intent", "\u0000"],
    ],
  },
  { t: "inv", n: 1, epoch: "e", at: 3, keys: ["k"], prefixes: [""], tags: ["t"] },
  { t: "prog", epoch: "e", to: 3 },
  { t: "gap", epoch: "e", to: 3, why: "slow" },
  { t: "pong", id: 1, epoch: "e", to: 3, leaseMs: 4_000 },
  { t: "beat" },
  { t: "mark", n: 3 },
  { t: "lost", name: "jobs", fence: 7, reason: "forced" },
  { t: "go", withinMs: 3 },
];

/** What a frame is after its reading: the call's arguments too. Throws what a shard refuses it with. */
function readAll(data: string): unknown {
  const frame = decodeClientFrame(data);
  if (frame.t !== "call") return frame;
  return { ...frame, ...readCall(frame.m, frame.a) };
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isWarpError(error)) return error.code;
    return `threw ${String(error)}`;
  }
  return "ok";
}

describe("warp.v1 frames", () => {
  test("every client frame, and every call, comes back as it was", () => {
    expect(calls.map(({ m }) => m)).toEqual(wireMethods);
    for (const frame of clientFrames) expect(readAll(encodeFrame(frame))).toEqual(frame);
    expect(encodeFrame({ t: "beat" })).toBe(beatFrame);
  });

  test("every server frame comes back as it was, bytes included", () => {
    for (const frame of serverFrames) expect(decodeServerFrame(encodeFrame(frame))).toEqual(frame);
  });

  test("all 256 bytes, and a Node buffer's kind of view, survive", () => {
    const bytes = Uint8Array.from({ length: 20_000 }, (_, at) => at & 0xff);
    const part = bytes.subarray(100, 19_000);
    const frame = decodeServerFrame(encodeFrame({ t: "ok", id: 1, r: { bytes: part } }));
    expect(frame).toEqual({ t: "ok", id: 1, r: { bytes: part.slice() } });
  });

  test("unknown members are ignored in both directions, unknown kinds by clients only", () => {
    expect(decodeClientFrame('{"t":"ping","id":1,"later":{"x":[[1]]}}')).toEqual({ t: "ping", id: 1 });
    expect(decodeServerFrame('{"t":"later","x":1}')).toBeUndefined();
    expect(decodeServerFrame('{"t":"constructor"}')).toBeUndefined();
    expect(decodeServerFrame('{"t":"go","withinMs":1,"x":1}')).toEqual({ t: "go", withinMs: 1, x: 1 });
    expect(codeOf(() => decodeClientFrame('{"t":"later"}'))).toBe("invalid_frame");
    expect(codeOf(() => decodeClientFrame('{"t":"constructor"}'))).toBe("invalid_frame");
  });

  test("a code that the client does not know is internal, and keeps its outcome", () => {
    const err = { code: "later_code", message: "why", outcome: "unknown", retryable: true };
    expect(decodeServerFrame(JSON.stringify({ t: "err", id: 1, e: err }))).toMatchObject({
      e: { code: "internal", message: "later_code: why", outcome: "unknown", retryable: true },
    });
  });

  test.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["null", "null"],
    ["no kind", "{}"],
    ["an id that is none", '{"t":"ping","id":1.5}'],
    ["a negative id", '{"t":"ping","id":-1}'],
    ["an ack of text", '{"t":"ack","inv":"1"}'],
    ["a short node name", '{"t":"hello","v":1,"node":"short"}'],
    ["a node name with a space", '{"t":"hello","v":1,"node":"node 0001"}'],
    ["an empty zone", '{"t":"hello","v":1,"node":"node-0001","zone":""}'],
    [
      "a cursor without revision",
      '{"t":"hello","v":1,"node":"node-0001","cursor":{"epoch":"00000000000000aa"}}',
    ],
    ["depth", `{"t":"bye","x":${"[".repeat(40)}${"]".repeat(40)}}`],
  ])("%s is invalid_frame", (_what, data) => {
    expect(codeOf(() => decodeClientFrame(data))).toBe("invalid_frame");
  });

  test("bytes instead of text are invalid_frame; a frame over size is frame_too_large", () => {
    expect(codeOf(() => decodeClientFrame(new Uint8Array(3)))).toBe("invalid_frame");
    const long = `{"t":"bye","x":"${"x".repeat(maxFrameBytes)}"}`;
    expect(codeOf(() => decodeClientFrame(long))).toBe("frame_too_large");
    expect(codeOf(() => decodeServerFrame(long))).toBe("frame_too_large");
    // Its characters are fewer than the bytes that it has.
    expect(codeOf(() => decodeClientFrame(`{"t":"bye","x":"${"é".repeat(maxFrameBytes / 2)}"}`))).toBe(
      "frame_too_large",
    );
  });

  test("the refusal of an argument names its place", () => {
    const mutations = [{ kind: "set", opId, key: 7, payload }];
    expect(() => readCall("mutate", [{ ...scope, mutations }])).toThrow(/a\[0\]\.mutations\[0\]\.key/);
    expect(() => readCall("read", [{ ...scope, keys: { length: 3 } }])).toThrow(/a\[0\]\.keys/);
    expect(() => readCall("read", undefined)).toThrow(/a must be/);
    expect(() => readCall("toString", [])).toThrow(/^m must be/);
    expect(() => readCall("list", [{ ...scope, prefix: "", limit: 1_001, values: true }])).toThrow(/limit/);
  });

  test("depth is measured outside of texts", () => {
    expect(isShallow('{"a":"[[[[[\\"[[["}', 1)).toBe(true);
    expect(isShallow('{"a\\\\":[1]}', 1)).toBe(false);
    expect(isShallow('[[],[],[{"a":"]"}]]', 3)).toBe(true);
    expect(isShallow('"no end', 0)).toBe(true);
  });
});

describe("SE4 malformed frames", () => {
  test("5,000 random changes of good frames are read or refused, never anything else", () => {
    const seed = Date.now() >>> 0;
    const random = seeded(seed);
    const good = [...clientFrames, ...serverFrames].map(encodeFrame);
    let refused = 0;
    for (let round = 0; round < 5_000; round++) {
      const data = spoil(random.pick(good), random);
      const code = codeOf(() => readAll(data));
      const tolerant = codeOf(() => decodeServerFrame(data));
      expect(["ok", "invalid_frame"], `seed ${seed} round ${round}: ${data}`).toContain(code);
      expect(["ok", "invalid_frame"], `seed ${seed} round ${round}: ${data}`).toContain(tolerant);
      if (code !== "ok") refused++;
    }
    expect(refused, `seed ${seed}`).toBeGreaterThan(1_000);
  }, 30_000);

  test("5,000 calls with a member of another type reach no shard", () => {
    const seed = Date.now() >>> 0;
    const random = seeded(seed);
    for (let round = 0; round < 5_000; round++) {
      const { m, a } = random.pick(calls);
      const spoiled = JSON.parse(encodeFrame({ t: "call", id: 1, m, a })) as { a: unknown };
      swap(spoiled.a, random);
      const code = codeOf(() => readCall(m, spoiled.a));
      expect(["ok", "invalid_frame"], `seed ${seed} round ${round}: ${JSON.stringify(spoiled)}`).toContain(
        code,
      );
      if (code === "ok") expect(shapeOf(readCall(m, spoiled.a).a), `seed ${seed} round ${round}`).toBe(true);
    }
  }, 30_000);
});

const odd: readonly unknown[] = [
  null,
  true,
  -1,
  1e308,
  "",
  "__proto__",
  [],
  {},
  { $bytes: "%%%" },
  { $bytes: 5 },
  { length: 5 },
  [[]],
  { toString: 1 },
];

/** Puts something else somewhere in JSON data. */
function swap(value: unknown, random: Seeded): void {
  if (typeof value !== "object" || value === null) return;
  const parts = value as Record<string, unknown>;
  const names = Object.keys(parts);
  if (names.length === 0) return;
  const name = random.pick(names);
  const part = parts[name];
  if (typeof part === "object" && part !== null && random.below(3) > 0) swap(part, random);
  else if (random.below(8) === 0) delete parts[name];
  else parts[name] = random.pick(odd);
}

/** Changes the text of a frame: characters, cuts, repetitions, or a member. */
function spoil(data: string, random: Seeded): string {
  const at = random.below(data.length);
  switch (random.below(5)) {
    case 0:
      return data.slice(0, at);
    case 1:
      return `${data.slice(0, at)}${String.fromCharCode(random.below(0x2ff))}${data.slice(at + 1)}`;
    case 2:
      return `${data.slice(0, at)}${random.pick(["{", "}", "[", "]", '"', ":", ",", "\\", "\ud800", "1e999"])}${data.slice(at)}`;
    case 3:
      return `${data.slice(0, at)}${data.slice(0, at)}`;
    default: {
      const frame = JSON.parse(data) as unknown;
      swap(frame, random);
      return JSON.stringify(frame);
    }
  }
}

/** Whether arguments that passed have in their places what a shard works with. */
function shapeOf(args: readonly unknown[]): boolean {
  const [request] = args;
  if (typeof request === "string") return true;
  const { space, shard, keys, mutations, commands } = request as Record<string, unknown>;
  if (typeof space !== "string" || !Number.isInteger(shard)) return false;
  if (keys !== undefined && !(keys as unknown[]).every((key) => typeof key === "string")) return false;
  const named = (one: Record<string, unknown>): boolean =>
    typeof one.opId === "string" && typeof (one.name ?? one.id) === "string";
  if (commands !== undefined && !(commands as Record<string, unknown>[]).every(named)) return false;
  return (
    mutations === undefined ||
    (mutations as Record<string, unknown>[]).every(
      (one) =>
        typeof one.opId === "string" &&
        (one.kind !== "set" || (one.payload as { bytes: unknown }).bytes instanceof Uint8Array),
    )
  );
}
