import { describe, expect, it } from "vitest";
import { host } from "#host";
import { BackedShard } from "../../support/backed-shard.ts";
import { expectReply } from "../../support/shard-bed.ts";

const backed = (work: (it: BackedShard) => Promise<void>) =>
  host.withSql(async (sql) => await work(await new BackedShard(sql).create()));

describe("the outbox of a shard with a storage behind it", () => {
  it("carries what was committed to the storage, behind the reply", () =>
    backed(async (space) => {
      const { bed } = space;
      await bed.set("a", "1");
      await bed.set("b", "2");
      await bed.set("a", "3");
      await bed.delete("b");
      await space.advance(10);
      expect(space.stored).toEqual({ a: "3@3" });
      expect(expectReply(await bed.shard.usage(bed.scope())).outbox).toEqual({
        entries: 0,
        bytes: 0,
        lagMs: 0,
      });
    }));

  it("tries again when the storage can't be reached", () =>
    backed(async (space) => {
      const { bed } = space;
      space.fail({ lose: "before" });
      await bed.set("a", "1");
      await space.advance(60_000);
      expect(space.stored).toEqual({});
      const { outbox } = expectReply(await bed.shard.usage(bed.scope()));
      expect(outbox).toMatchObject({
        entries: 1,
        bytes: 2,
        lagMs: 60_000,
        error: { code: "storage_unavailable" },
      });
      space.fail();
      await space.advance(30_000);
      expect(space.stored).toEqual({ a: "1@1" });
    }));
});
