import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { SpaceSettings } from "../../../src/protocol/space.ts";
import { utf8 } from "../../../src/runtime/bytes.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
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

  it("AD2 a shard that could not be founded for its first read asks the storage for the next one, too", () =>
    host.withSql(async (sql) => {
      const failing = { isFull: false };
      const shaky: Sql = {
        all: (query, ...bindings) => sql.all(query, ...bindings),
        run: (query, ...bindings) => {
          if (failing.isFull) throw new Error("database or disk is full");
          sql.run(query, ...bindings);
        },
        transaction: (work) => sql.transaction(work),
      };
      const settings: SpaceSettings = {
        name: "test",
        id: "0123456789abcdef",
        shards: 2,
        strict: false,
        createdAtMs: 1_700_000_000_000,
        storage: { name: "memory", write: "behind" },
      };
      const space = new BackedShard(shaky, {
        home: () => ({
          getSpace: async () => ({ space: settings, registrations: 0 }),
          getRegistrations: async () => ({ registrations: 0, list: [] }),
        }),
      });
      const { bed } = space;
      bed.spaceId = settings.id;
      space.storage.putPlain("a", { bytes: utf8("foreign"), contentType: "text/plain" });
      const read = () => bed.shard.read({ ...bed.scope(1), keys: ["a"] });
      failing.isFull = true;
      await expect(read()).rejects.toMatchObject({ code: "storage_unavailable" });
      await expect(read()).rejects.toMatchObject({ code: "storage_unavailable" });
      failing.isFull = false;
      const { entries } = expectReply(await read());
      expect(entries).toMatchObject([{ key: "a", payload: { contentType: "text/plain" } }]);
    }));

  it("AD4 a commit of an instance that has let no call in yet does not put off what an earlier one had set the alarm for", () =>
    host.withSql(async (sql) => {
      const space = await new BackedShard(sql).create();
      const { bed } = space;
      space.fail({ lose: "before" });
      await bed.set("a", "1", { expiresInMs: 3_600_000 });
      await space.advance(5_000);
      bed.restart();
      // As a node that renews its lease does, or one that spends a token.
      await bed.shard.tokens.redeem({ space: "test", id: "token", endsAtMs: bed.nowMs + 60_000 });
      space.fail();
      await space.advance(60_000);
      expect(space.stored).toEqual({ a: "1@1" });
    }));
});
