import { describe, expect, test } from "vitest";
import { Outflow } from "../../src/shard/hub/outflow.ts";

describe("what is on its way to a session", () => {
  test("a mark follows each 64 KiB, and its return says that all before it has come", () => {
    const outflow = new Outflow();
    expect(outflow.sent(65_535, true)).toBeUndefined();
    expect(outflow.sent(1, false)).toBe(1);
    expect(outflow.sent(100_000, false)).toBe(2);
    expect(outflow.sent(10, true)).toBeUndefined();
    expect([outflow.bytes, outflow.pushedBytes]).toEqual([165_546, 65_545]);
    expect(outflow.seen(1)).toBe(true);
    expect([outflow.bytes, outflow.pushedBytes]).toEqual([100_010, 10]);
    expect(outflow.seen(2)).toBe(true);
    expect([outflow.bytes, outflow.pushedBytes]).toEqual([10, 10]);
  });

  test("a later mark stands for those before it; one that is not awaited says nothing", () => {
    const outflow = new Outflow();
    for (let at = 0; at < 3; at++) outflow.sent(70_000, true);
    expect(outflow.seen(4)).toBe(false);
    expect(outflow.seen(2)).toBe(true);
    expect(outflow.pushedBytes).toBe(70_000);
    expect(outflow.seen(1)).toBe(false);
    expect(outflow.seen(2)).toBe(false);
    expect(outflow.pushedBytes).toBe(70_000);
  });

  test("with many sessions each has a smaller share, and whoever is beyond it can always be asked", () => {
    let sessions = 1;
    const outflow = new Outflow(() => sessions);
    expect(outflow.sent(60_000, true)).toBeUndefined();
    expect(outflow.isFull).toBe(false);
    sessions = 1_000;
    expect(outflow.isFull).toBe(true);
    expect(outflow.mark()).toBe(1);
    expect(outflow.mark()).toBeUndefined();
    expect(outflow.seen(1)).toBe(true);
    expect(outflow.isFull).toBe(false);
    expect(outflow.sent(10_000, true)).toBeUndefined();
    expect(outflow.sent(10_000, true)).toBe(2);
    sessions = 100_000;
    expect(outflow.isFull).toBe(false);
    expect(outflow.sent(13_000, true)).toBeUndefined();
    expect(outflow.isFull).toBe(true);
  });
});
