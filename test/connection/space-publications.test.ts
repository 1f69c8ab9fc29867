import { describe, expect, test } from "vitest";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { publishSpace } from "../../src/connection/space-publications.ts";
import { shardOf } from "../../src/protocol/key.ts";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { failure } from "../contract/adapter-bed.ts";
import { directConnection } from "../support/direct-connection.ts";
import { ManualTime } from "../support/manual-time.ts";
import { seeded } from "../support/seeded.ts";
import { withShardSpace } from "../support/shard-space.ts";

describe("publications over the shards of a space", () => {
  test("to a key in its shard, to a prefix in every one; a repeat is answered as before", async () => {
    const time = new ManualTime();
    const random = seeded(1);
    await withShardSpace(time, { shards: 3 }, async (shards) => {
      const client = new SpaceClient({
        connection: directConnection("test", (index) => {
          const shard = shards[index];
          if (shard === undefined) throw new Error(`no shard ${index}`);
          return shard;
        }),
        timers: time,
      });
      const opId = () => scopeOpId("test", uuidv7(time, random));
      const payload = { bytes: utf8("hi"), contentType: "text/plain" };
      const key = await publishSpace(client, { opId: opId(), target: { key: "a" }, payload, retained: true });
      expect(key).toMatchObject([
        { answer: { outcome: "ok", revision: 1 }, asOf: { shard: shardOf("a", 3) } },
      ]);
      const all = { opId: opId(), target: { prefix: "p" }, payload, retained: true };
      const first = await publishSpace(client, all);
      expect(first.map(({ asOf }) => asOf.shard)).toEqual([0, 1, 2]);
      expect((await publishSpace(client, all)).map(({ answer }) => answer)).toEqual(
        first.map(({ answer }) => ({ ...answer, replayed: true })),
      );
      expect(shards.map((shard) => shard.watching.log.written.revision).reduce((a, b) => a + b)).toBe(4);
      const wrong = publishSpace(client, { opId: opId(), target: { key: "" }, payload, retained: true });
      expect(await failure(wrong)).toMatchObject({ code: "invalid_key" });
    });
  });
});
