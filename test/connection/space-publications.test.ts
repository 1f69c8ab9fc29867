import { describe, expect, test } from "vitest";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { publishSpace } from "../../src/connection/space-publications.ts";
import { WarpError } from "../../src/errors.ts";
import { shardOf } from "../../src/protocol/key.ts";
import type { ShardApi } from "../../src/protocol/shard-api.ts";
import type { PublishRequest } from "../../src/protocol/watch.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { failure } from "../contract/adapter-bed.ts";
import { directConnection } from "../support/direct-connection.ts";
import { virtualClock } from "../support/virtual-clock.ts";

const shards = 3;
const stamp = { epoch: "00000000000000aa", asOf: 7, registrations: 0 };
const payload = { bytes: utf8("hi"), contentType: "text/plain" };

/** A space whose shards take what is published, but for those that break. */
function make(broken: readonly number[] = []) {
  const sent: { readonly shard: number; readonly request: PublishRequest }[] = [];
  const shard = (index: number) =>
    ({
      getSpace: async () => ({
        space: { name: "test", id: "life", shards, strict: false, createdAtMs: 0 },
        registrations: 0,
      }),
      publish: async (request: PublishRequest) => {
        sent.push({ shard: index, request });
        if (broken.includes(index)) throw new WarpError("unavailable", "broken");
        return { ...stamp, verdict: { outcome: "ok", revision: 7, version: 0, existed: false } };
      },
    }) as unknown as ShardApi;
  const client = new SpaceClient({ connection: directConnection("test", shard), timers: virtualClock() });
  return { client, sent };
}

describe("publications over the shards of a space", () => {
  test("to a key in its shard", async () => {
    const { client, sent } = make();
    const publication = { opId: "one", target: { key: "a" }, payload, retained: true };
    const shard = shardOf("a", shards);
    expect(await publishSpace(client, publication)).toMatchObject([
      { answer: { outcome: "ok", revision: 7 }, asOf: { shard, revision: 7 } },
    ]);
    expect(sent).toMatchObject([{ shard, request: { shard, spaceId: "life", ...publication } }]);
  });

  test("WB-02 to a prefix in every one, under one op id", async () => {
    const { client, sent } = make();
    const all = await publishSpace(client, {
      opId: "one",
      target: { prefix: "p" },
      payload,
      retained: false,
    });
    expect(all.map(({ asOf }) => asOf.shard)).toEqual([0, 1, 2]);
    expect(sent.map(({ shard, request }) => [shard, request.opId, request.retained])).toEqual([
      [0, "one", false],
      [1, "one", false],
      [2, "one", false],
    ]);
  });

  test("what is malformed is refused before anything is sent; where one shard has acted, no other's no is the whole call's", async () => {
    const { client, sent } = make();
    const wrong = publishSpace(client, { opId: "one", target: { key: "" }, payload, retained: true });
    expect(await failure(wrong)).toMatchObject({ code: "invalid_key", outcome: "fail" });
    expect(sent).toEqual([]);
    const part = make([1]);
    const failed = publishSpace(part.client, {
      opId: "one",
      target: { prefix: "" },
      payload,
      retained: true,
    });
    expect(await failure(failed)).toMatchObject({ code: "unavailable", outcome: "unknown" });
  });
});
