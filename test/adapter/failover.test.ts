import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { WarpError } from "../../src/errors.ts";
import { FailoverBed, type FailoverNode } from "../support/failover-bed.ts";

async function withBed(
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
async function ended<T>(bed: FailoverBed, call: Promise<T>): Promise<T> {
  let over = false;
  const done = call.finally(() => {
    over = true;
  });
  done.catch(() => undefined);
  await bed.clock.settle();
  for (let turn = 0; !over && turn < 2_000; turn++) await bed.clock.advance(10);
  return await done;
}

/** Reads fail until the shard counts as away. */
async function away(bed: FailoverBed, node: FailoverNode, key = "nothing"): Promise<void> {
  node.reach = "down";
  for (let turn = 0; turn < 3; turn++)
    await ended(bed, node.warp.get(`${key}:${turn}`)).catch(() => undefined);
}

async function errorOf(bed: FailoverBed, call: Promise<unknown>): Promise<WarpError> {
  return await ended(bed, call).then(
    () => expect.fail("it should have been refused"),
    (error: WarpError) => error,
  );
}

describe("SB8 a shard that can't be reached", () => {
  it("SB8 an unconditional eventual set is taken by the stream, is provisional, read back at once and applied once", () =>
    withBed(async (bed) => {
      const node = await bed.node();
      await ended(bed, node.warp.set("a", 1));
      await away(bed, node);
      const done = await ended(bed, node.warp.set("a", 2));
      expect(done).toMatchObject({ key: "a", version: 0, cursor: "", etag: undefined, provisional: true });
      const read = await ended(bed, node.warp.getEntry("a"));
      expect(read).toMatchObject({
        value: 2,
        version: 0,
        etag: "",
        stale: true,
        cache: "stale",
        provisional: true,
      });
      node.reach = "up";
      await bed.clock.advance(2_000);
      const after = await ended(bed, node.warp.getEntry("a"));
      expect(after).toMatchObject({ value: 2, stale: false });
      expect(after?.provisional).toBeUndefined();
      expect(bed.carried.filter(({ by }) => by === "stream")).toHaveLength(1);
    }));

  it("SB8 nothing changes where the space has not opted in", () =>
    withBed(
      async (bed) => {
        const node = await bed.node();
        await ended(bed, node.warp.set("a", 1));
        await away(bed, node);
        const error = await errorOf(bed, node.warp.set("a", 2));
        expect(error).toMatchObject({ code: "unavailable", outcome: "unknown" });
        node.reach = "up";
        expect(await ended(bed, node.warp.set("a", 3))).not.toHaveProperty("provisional");
      },
      { hasOptedIn: false },
    ));
});
