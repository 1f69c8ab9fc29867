import { describe, expect, it } from "vitest";
import type { LockCommand } from "../../src/protocol/lock.ts";
import { checkLockCommand, lockPrint } from "../../src/protocol/lock-rules.ts";

const opId = "01a0c0de-0000-7000-8000-000000000000";
const acquire: LockCommand = {
  kind: "acquire",
  opId,
  name: "n",
  owner: "o",
  as: "semaphore",
  ttlMs: 1_000,
  permits: 5,
};
const value = (text: string) => ({ bytes: new TextEncoder().encode(text), contentType: "text/plain" });

describe("lock rules", () => {
  it("OU2 the print of a command is of all that it asks for, and of nothing else", () => {
    const others: LockCommand[] = [
      acquire,
      { ...acquire, name: "m" },
      { ...acquire, owner: "p" },
      { ...acquire, as: "read" },
      { ...acquire, ttlMs: 1_001 },
      { ...acquire, permits: 6 },
      { ...acquire, take: 1 },
      { ...acquire, waitMs: 5 },
      { ...acquire, delayMs: 5 },
      { ...acquire, value: value("") },
      { ...acquire, value: value("x") },
      { ...acquire, value: { ...value("x"), contentType: "a/b" } },
      { ...acquire, endsWithSession: true },
      { kind: "claim", opId, name: "n", owner: "o", ticket: "t" },
      { kind: "cancel", opId, name: "n", owner: "o", ticket: "t" },
      { kind: "renew", opId, name: "n", owner: "o", fence: 1 },
      { kind: "renew", opId, name: "n", owner: "o", fence: 1, ttlMs: 100 },
      { kind: "release", opId, name: "n", owner: "o", fence: 1 },
      { kind: "release", opId, name: "n", owner: "o", fence: 2 },
      { kind: "proclaim", opId, name: "n", owner: "o", fence: 1, value: value("x") },
      { kind: "force", opId, name: "n", by: "o" },
      { kind: "force", opId, name: "n", by: "o", fence: 1 },
    ];
    expect(new Set(others.map(lockPrint)).size).toBe(others.length);
    expect(lockPrint({ ...acquire, opId: "another" })).toBe(lockPrint(acquire));
    const { ttlMs, ...rest } = acquire as Extract<LockCommand, { kind: "acquire" }>;
    expect(lockPrint({ ttlMs, ...rest } as LockCommand)).toBe(lockPrint(acquire));
  });

  it("a command is looked at with its op id where the time is known, and without it elsewhere", () => {
    const strange = { ...acquire, opId: "strange" };
    expect(checkLockCommand(strange)).toBeUndefined();
    expect(checkLockCommand(strange, 0)).toMatchObject({ code: "invalid_op_id" });
    expect(checkLockCommand({ ...acquire, ttlMs: 1 })).toMatchObject({ code: "invalid_ttl" });
  });
});
