import { describe, expect, test } from "vitest";
import { SocketRate } from "../../src/shard/hub/socket-rate.ts";
import { Placement } from "../../src/shard/relay-feed/placement.ts";
import { virtualClock } from "../support/virtual-clock.ts";

describe("where watchers go", () => {
  test("SE3 relays are filled one after the other; none is beyond its room, and there are at most 64", () => {
    const placement = new Placement(3);
    const places = Array.from({ length: 8 }, () => placement.place());
    expect(places).toEqual([0, 0, 0, 1, 1, 1, 2, 2]);
    // One tells that some have gone; the fullest that has room comes first.
    placement.told(0, 1);
    expect([placement.place(), placement.place(), placement.place()]).toEqual([2, 0, 0]);
    placement.told(1, 0);
    expect(placement.place()).toBe(1);
    placement.full(1);
    expect(placement.place()).toBe(3);
    for (let at = 0; at < 64; at++) placement.full(at);
    expect(placement.place()).toBeUndefined();
  });

  test("SE3 an object takes so many sockets a second, two seconds' worth at once, and tells the others when", async () => {
    const clock = virtualClock();
    const rate = new SocketRate(10, clock);
    const taken = () => Array.from({ length: 30 }, () => rate.take()).filter((waitMs) => waitMs === 0).length;
    expect(taken()).toBe(20);
    const waitMs = rate.take();
    expect(waitMs).toBe(100);
    await clock.advance(waitMs - 10);
    expect(rate.take()).toBeGreaterThan(5);
    await clock.advance(11);
    expect(rate.take()).toBe(0);
    await clock.advance(500);
    expect(taken()).toBe(5);
    await clock.advance(60_000);
    expect(taken()).toBe(20);
  });
});
