import { describe, expect, it } from "vitest";
import { host } from "#host";
import { BackedShard } from "../../support/backed-shard.ts";
import { expectReply } from "../../support/shard-bed.ts";

describe("a shard that is called when nothing is ready", () => {
  it("LS4 the end of a lease that is the first an instance hears of reaches the storage, without any other call", () =>
    host.withSql(async (sql) => {
      const space = await new BackedShard(sql).create();
      const { bed } = space;
      const id = "lease0123456789ab";
      const grant = { kind: "grant", opId: bed.opId(), id, ttlMs: 3_600_000, onEnd: "delete" } as const;
      expectReply(await bed.shard.lease({ ...bed.scope(), commands: [grant] }));
      await bed.set("a", "1", { lease: id });
      await space.advance(5_000);
      expect(space.stored).toEqual({ a: "1@1" });
      bed.restart();
      bed.alarmMs = undefined;
      expect(await bed.shard.leases.endLease({ ...bed.scope(), id, onEnd: "delete" })).toMatchObject({
        keys: 1,
      });
      await space.advance(10_000);
      expect(space.stored).toEqual({});
    }));
});
