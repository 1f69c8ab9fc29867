import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import type { LockCommand } from "../../src/protocol/lock.ts";
import { held, type LocksUnderTest, LockTester, refused, text } from "./lock-bed.ts";

type Acquire = Extract<LockCommand, { kind: "acquire" }>;

/** What is malformed is refused, and nothing is changed by it (rule OU4). */
export function lockBounds({ name, run }: LocksUnderTest): void {
  const wrong: readonly (readonly [string, Partial<Acquire>, ErrorCode, object])[] = [
    ["a time to live below 100 ms", { ttlMs: 99 }, "invalid_ttl", { min: 100, max: 86_400_000 }],
    ["one above 24 h", { ttlMs: 86_400_001 }, "invalid_ttl", { field: "ttlMs" }],
    ["one that is no whole number", { ttlMs: 100.5 }, "invalid_ttl", {}],
    ["one that is none", { ttlMs: Number.NaN }, "invalid_ttl", {}],
    ["an empty name", { name: "" }, "invalid_lock", { field: "name", max: 512 }],
    ["a name of 513 bytes", { name: `${"ü".repeat(256)}x` }, "invalid_lock", { field: "name" }],
    ["a name that is no UTF-8", { name: "a\ud800" }, "invalid_lock", { field: "name" }],
    ["an empty owner", { owner: "" }, "invalid_lock", { field: "owner", max: 128 }],
    ["an owner of 129 characters", { owner: "o".repeat(129) }, "invalid_lock", { field: "owner" }],
    ["an unknown kind", { as: "rwlock" as "read" }, "invalid_argument", { field: "as" }],
    ["a semaphore without permits", { as: "semaphore" }, "invalid_argument", { field: "permits", min: 1 }],
    ["no permits", { as: "semaphore", permits: 0 }, "invalid_argument", { field: "permits", max: 10_000 }],
    ["too many permits", { as: "semaphore", permits: 10_001 }, "invalid_argument", { field: "permits" }],
    ["to take none", { as: "semaphore", permits: 3, take: 0 }, "invalid_argument", { field: "take", max: 3 }],
    [
      "to take more than there are",
      { as: "semaphore", permits: 3, take: 4 },
      "invalid_argument",
      { field: "take" },
    ],
    ["permits of a mutex", { permits: 1 }, "invalid_argument", { field: "permits" }],
    ["a wait of nothing", { waitMs: 0 }, "invalid_argument", { field: "waitMs", min: 1, max: 3_600_000 }],
    ["a wait of more than an hour", { waitMs: 3_600_001 }, "invalid_argument", { field: "waitMs" }],
    ["a delay of more than a minute", { delayMs: 60_001 }, "invalid_argument", { field: "delayMs" }],
    ["a value above 16 KiB", { value: text("x".repeat(16_385)) }, "value_too_large", { max: 16_384 }],
  ];

  describe(`locks contract: ${name}: bounds`, () => {
    it("OU4 an acquire that is out of bounds is refused with the range, and nothing is granted", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        for (const [what, extra, code, details] of wrong) {
          const verdict = await t.acquire("job", "a", extra).catch((error: unknown) => {
            throw new Error(`${what} was refused as a call`, { cause: error });
          });
          expect(verdict, what).toMatchObject({ outcome: "fail", error: { code, outcome: "fail", details } });
        }
        expect((await t.locks.list()).locks).toEqual([]);
      }));

    it("LK13 the bounds themselves are allowed", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        held(await t.acquire("ü".repeat(256), "o".repeat(128), { ttlMs: 100, delayMs: 60_000 }));
        held(await t.acquire("b", "a", { ttlMs: 86_400_000, value: text("x".repeat(16_384)) }));
        held(await t.acquire("c", "a", { as: "semaphore", permits: 10_000, take: 10_000 }));
        await t.queue("b", "b", { waitMs: 1 });
        await t.queue("b", "b", { waitMs: 3_600_000 });
      }));

    it("OU4 fences, tickets and words of other commands have their bounds", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        for (const fence of [0, -1, 1.5, Number.NaN]) {
          refused(await t.release("job", "a", fence), "invalid_argument", { field: "fence", min: 1 });
          refused(await t.renew("job", "a", fence), "invalid_argument", { field: "fence" });
        }
        refused(await t.renew("job", "a", 1, 99), "invalid_ttl");
        refused(await t.proclaim("job", "a", 1, "x".repeat(16_385)), "value_too_large");
        refused(await t.claim("job", "a", { ticket: "" }), "invalid_argument", { field: "ticket" });
        refused(await t.claim("job", "a", { ticket: "x".repeat(65) }), "invalid_argument", {
          field: "ticket",
        });
        refused(await t.release("", "a", 1), "invalid_lock");
        refused(await t.release("job", "", 1), "invalid_lock");
        refused(await t.one({ kind: "force", opId: t.opId(), name: "job", by: "" }), "invalid_argument", {
          field: "by",
        });
      }));

    it("OU4 calls have their bounds, too: they are refused as a whole", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        const code = async (call: Promise<unknown>): Promise<unknown> =>
          bed.done(call).then(
            () => "ok",
            (error: { code?: unknown }) => error.code,
          );
        const many = Array.from({ length: 129 }, (_, i) => t.acquiring(`{t}${i}`, "a"));
        expect(await code(t.locks.run(many))).toBe("batch_too_large");
        expect(await code(t.locks.run([]))).toBe("invalid_argument");
        expect((await t.locks.list()).locks).toEqual([]);
        expect((await t.run(many.slice(1))).every(({ outcome }) => outcome === "ok")).toBe(true);
        const place = { name: "{t}1", owner: "b", ticket: "1.1", waitMs: 0 };
        expect(await code(t.locks.wait({ ...place, waitMs: 25_001 }))).toBe("invalid_argument");
        expect(await code(t.locks.wait({ ...place, waitMs: -1 }))).toBe("invalid_argument");
        expect(await code(t.locks.wait({ ...place, owner: "" }))).toBe("invalid_lock");
        expect(await code(t.locks.wait({ ...place, name: "" }))).toBe("invalid_lock");
        expect(await code(t.locks.info(""))).toBe("invalid_lock");
        expect(await code(t.locks.observe("", { waitMs: 0 }))).toBe("invalid_lock");
        expect(await code(t.locks.observe("a", { waitMs: 25_001 }))).toBe("invalid_argument");
        for (const limit of [0, 1_001, 1.5])
          expect(await code(t.locks.list({ limit }))).toBe("invalid_limit");
        expect(await code(t.locks.list({ prefix: "x".repeat(513) }))).toBe("invalid_argument");
        for (const cursor of ["", "x", "bm9uc2Vuc2U", "WyJhIiwiYiJd"]) {
          expect(await code(t.locks.list({ cursor }))).toBe("invalid_cursor");
        }
        expect(await code(t.locks.info("a", { timeoutMs: 0 }))).toBe("invalid_argument");
        expect(await code(t.locks.run([t.acquiring("a", "a")], { signal: AbortSignal.abort() }))).toBe(
          "aborted",
        );
      }));

    it("a name has at most 1,000 waiters", () =>
      run(async (bed) => {
        const t = new LockTester(bed);
        held(await t.acquire("{t}job", "a"));
        const commands = Array.from({ length: 1_001 }, (_, i) =>
          t.acquiring("{t}job", `w${i}`, { waitMs: 1_000 }),
        );
        const verdicts = [];
        for (let i = 0; i < commands.length; i += 100)
          verdicts.push(...(await t.run(commands.slice(i, i + 100))));
        expect(verdicts.slice(0, 1_000).every(({ outcome }) => outcome === "ok")).toBe(true);
        refused(verdicts[1_000], "overloaded", { max: 1_000 });
      }));
  });
}
