import { expect, it } from "vitest";
import { Overlay, OverlayRoom } from "../../src/adapter/failover/overlay.ts";
import { maxOverlayBytes, maxOverlayKeys } from "../../src/runtime/failover-limits.ts";
import { ManualTime } from "../support/manual-time.ts";

/** Shards of one space, of which a node keeps what waits. */
function overlays(shards: number) {
  const time = new ManualTime();
  const room = new OverlayRoom();
  const all = Array.from({ length: shards }, () => new Overlay(time, room));
  let places = 0;
  const take = (shard: number, key: string, bytes: number): string => {
    const place = `1-${++places}`;
    const payload = { bytes: new Uint8Array(bytes), contentType: "a/b" };
    all[shard]?.take(place, { kind: "set", opId: `${places}`, key, payload }, false, 0);
    return place;
  };
  const known = () => all.reduce((total, one) => total + one.size, 0);
  return { all, take, known };
}

it("SB8 what a node keeps of all shards that are away together is bounded; the oldest is forgotten, whose ever it is", () => {
  const mib = 1_048_576;
  const { all, take, known } = overlays(8);
  for (let n = 0; n < 80; n++) take(n % 8, `k${n}`, mib - 200);
  expect(known()).toBe(maxOverlayBytes / mib);
  for (let n = 0; n < 80; n++) expect(all[n % 8]?.has(`k${n}`), `k${n}`).toBe(n >= 64);
  for (const one of all.slice(1)) one.drained("1-1000");
  expect(known()).toBe(2);
  for (let n = 0; n < 14; n++) take(3, `more${n}`, mib - 200);
  expect(known()).toBe(16);
  // The same key again takes the place of what it had.
  for (let n = 0; n < 100; n++) take(0, "k72", 2 * mib);
  expect(all[0]?.of("k72")).toBeDefined();
  expect(all[3]?.size).toBeGreaterThan(10);
  for (const one of all) one.clear();
  for (let n = 0; n < maxOverlayKeys + 10; n++) take(n % 8, `s${n}`, 1);
  expect(known()).toBe(maxOverlayKeys);
});
