import { expect } from "vitest";
import { host } from "#host";
import type { WarpError } from "../../src/errors.ts";
import { FailoverBed, type FailoverNode } from "./failover-bed.ts";

/** Runs `work` on a bed whose space is there; nothing may fail behind. */
export async function withFailover(
  work: (bed: FailoverBed) => Promise<void>,
  options: ConstructorParameters<typeof FailoverBed>[1] = {},
): Promise<void> {
  await host.withSql(async (sql) => {
    const bed = await new FailoverBed(sql, options).create();
    await work(bed);
    expect(bed.reported).toEqual([]);
  });
}

/** Lets a call go on until it has ended, in virtual time. */
export async function ended<T>(bed: FailoverBed, call: Promise<T>): Promise<T> {
  let over = false;
  const done = call.finally(() => {
    over = true;
  });
  done.catch(() => undefined);
  await bed.clock.settle();
  for (let turn = 0; !over && turn < 3_000; turn++) await bed.clock.advance(10);
  expect(over, "the call has ended").toBe(true);
  return await done;
}

/** What a call is refused with. */
export async function refusalOf(bed: FailoverBed, call: Promise<unknown>): Promise<WarpError> {
  return await ended(bed, call).then(
    () => expect.fail("it should have been refused"),
    (error: WarpError) => error,
  );
}

/** Cuts a node off, and lets its reads fail until it takes the shard for away. */
export async function cutOff(bed: FailoverBed, node: FailoverNode, reach: FailoverNode["reach"] = "down") {
  node.reach = reach;
  for (let turn = 0; turn < 3; turn++)
    await ended(bed, node.warp.get(`nothing:${turn}`)).catch(() => undefined);
  expect(node.failover?.way?.isTaken("nothing")).toBe(true);
}

/** The node can reach the shard again, and has found out. */
export async function bringBack(bed: FailoverBed, node: FailoverNode) {
  node.reach = "up";
  await bed.clock.advance(6_000);
}
