import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newOpId } from "../support/http-client.ts";
import { seeded } from "../support/seeded.ts";
import { Bed } from "../support/twin/bed.ts";
import type { ChangeCall, TwinNode } from "../support/twin/calls.ts";

const seed = Number(process.env.WARP_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
let bed: Bed;

beforeAll(async () => {
  bed = await Bed.start({ space: "cas", shards: 2, nodes: { "node-east": "east", "node-west": "west" } });
  await bed.http().register("strong:*", { mode: "strong" });
  console.log(`cas: seed ${seed}`);
});

afterAll(() => bed.stop());

describe("compare-and-set over four isolates and two Node processes", () => {
  test("TX7 X-05 in 200 rounds of 8 at once exactly one wins each, whatever the mode and the door", async () => {
    const random = seeded(seed);
    const present = new Map<string, number | null>();
    let value = 0;
    for (let round = 0; round < 200; round++) {
      const key = `${round % 2 === 0 ? "strong" : "loose"}:${random.below(4)}`;
      const expected = present.get(key) ?? null;
      // Held by both processes, so that a strong key's write has someone to wait for.
      await Promise.all(bed.remotes.map(({ node }) => node.call({ do: "get", key })));
      const offset = random.below(6);
      const tries = Array.from({ length: 8 }, (_, at) => {
        const node = bed.nodes[(offset + at) % 6] as TwinNode;
        const call = { do: "cas", key, expected, value: ++value, opId: newOpId() } as const;
        return { call, node: node.name, answer: node.call(call) };
      });
      const ended = await Promise.all(
        tries.map(async ({ call, node, answer }) => ({ call, node, answer: await answer })),
      );
      const winners = ended.filter(({ answer }) => answer.ok);
      const losers = ended.flatMap(({ answer }) => (answer.ok ? [] : [`${answer.code} ${answer.outcome}`]));
      expect(winners.length, `round ${round}, seed ${seed}: ${JSON.stringify(ended)}`).toBe(1);
      expect(losers).toEqual(Array.from({ length: 7 }, () => "precondition_failed fail"));
      const won = winners[0]?.call.value ?? 0;
      present.set(key, won);
      const seen = await Promise.all(
        (key.startsWith("strong")
          ? bed.nodes
          : bed.nodes.filter(({ name }) => name === winners[0]?.node)
        ).map((node) => node.call({ do: "get", key })),
      );
      for (const answer of seen) expect(answer).toMatchObject({ ok: true, seen: { value: won } });
    }
  });

  test("TX1 TX5 200 rejected transactions leave nothing behind: no key, no version, no log entry", async () => {
    const random = seeded(seed + 1);
    const keys = Array.from({ length: 10 }, (_, at) => `${at % 2 === 0 ? "strong:" : ""}{t}:${at}`);
    const [first = ""] = keys;
    for (const [at, key] of keys.entries())
      await bed.nodes[0]?.call({ do: "set", key, value: at, opId: newOpId() });
    for (const node of bed.nodes) await node.call({ do: "getMany", keys });
    const state = async () => ({
      records: await bed.http().lines("/export"),
      list: await bed.http(1).json("/keys?limit=1000"),
      cursor: (await bed.http(2).get(first)).epoch,
    });
    const before = await state();
    const codes = new Map<string, number>();
    const rejected = (): ChangeCall => {
      const writes = keys.map((key) => ({ op: "set", key, value: 1_000 + random.below(1_000) }) as const);
      const fresh = [{ op: "set", key: `{t}:new:${random.below(1_000)}`, value: 1 }] as const;
      const opId = newOpId();
      const txn = { do: "txn", failure: [], opId } as const;
      return random.pick<() => ChangeCall>([
        // A comparison in the middle that does not hold.
        () => ({
          ...txn,
          compare: [
            { key: keys[0] ?? "", is: 0 },
            { key: keys[3] ?? "", is: 77 },
          ],
          success: [...writes, ...fresh],
        }),
        () => ({ ...txn, compare: [{ key: keys[1] ?? "", is: null }], success: [...fresh, ...writes] }),
        // Keys of two shards.
        () => ({
          ...txn,
          compare: [],
          success: [
            ...writes,
            ...Array.from({ length: 8 }, (_, at) => ({ op: "set", key: `else:${at}`, value: 1 }) as const),
          ],
        }),
        // One key twice.
        () => ({ ...txn, compare: [], success: [...writes, { op: "set", key: keys[2] ?? "", value: 5 }] }),
        // Too many.
        () => ({
          ...txn,
          compare: [],
          success: Array.from(
            { length: 129 },
            (_, at) => ({ op: "set", key: `{t}:many:${at}`, value: 1 }) as const,
          ),
        }),
        // No rule.
        () => ({
          ...txn,
          compare: [],
          success: [...writes.slice(0, 5), { op: "merge", key: keys[7] ?? "", amount: 1 }],
        }),
      ])();
    };
    await Promise.all(
      Array.from({ length: 200 }, async (_, at) => {
        const answer = await (bed.nodes[at % 6] as TwinNode).call(rejected());
        const ended = answer.ok
          ? "succeeded" in answer
            ? `succeeded ${answer.succeeded}`
            : "ok"
          : `${answer.code} ${answer.outcome}`;
        codes.set(ended, (codes.get(ended) ?? 0) + 1);
      }),
    );
    console.log("rejected transactions:", Object.fromEntries([...codes].sort()));
    expect([...codes.keys()].sort(), `seed ${seed}`).toEqual([
      "batch_too_large fail",
      "cross_shard fail",
      "duplicate_key fail",
      "merge_rule_missing fail",
      "succeeded false",
    ]);
    expect(await state()).toEqual(before);
    for (const node of bed.nodes) {
      const answer = await node.call({ do: "getMany", keys });
      expect(answer.ok && answer.seen.map(({ value }) => value)).toEqual(keys.map((_, at) => at));
    }
  });
});
