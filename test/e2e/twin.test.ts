import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newOpId } from "../support/http-client.ts";
import { seeded } from "../support/seeded.ts";
import { Bed, type RemoteNode } from "../support/twin/bed.ts";
import type { TwinNode } from "../support/twin/calls.ts";
import { runClient, runPeeker } from "../support/twin/client.ts";
import { Faults } from "../support/twin/faults.ts";
import { judge, storyOf } from "../support/twin/judge.ts";
import { familyOf, KeyGroups, keysOf } from "../support/twin/keys.ts";
import { Recorder } from "../support/twin/recorder.ts";

const operations = Number(process.env.WARP_TWIN_OPERATIONS ?? 15_000);
const seed = Number(process.env.WARP_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const shards = 2;
const kills = 3;
/** Clients of one isolate, and of one Node process. */
const widths = { isolate: 8, node: 12 };
const eventualMs = 1_000;
const mixedMs = 700;
const longestMs = 60_000 + operations * 6;

let bed: Bed;

beforeAll(async () => {
  bed = await Bed.start({
    space: "twin",
    shards,
    nodes: { "node-east": "east", "node-west": "west" },
    // What Node processes take for strong, isolates take for eventual.
    ofIsolates: { "m:*": { mode: "eventual", maxStalenessMs: mixedMs } },
    ofNodes: { "m:*": { mode: "strong" } },
  });
  const http = bed.http();
  for (const pattern of ["s1:*", "s2:*", "x:*"]) await http.register(pattern, { mode: "strong" });
  await http.register("n:*", { mode: "strong", merge: "sum" });
  await http.register("c:*", { merge: "sum", maxStalenessMs: eventualMs });
  await http.register("e:*", { maxStalenessMs: eventualMs });
  console.log(`twin: seed ${seed}, ${operations} operations`);
});

afterAll(() => bed.stop());

function promised(node: TwinNode, key: string) {
  const family = familyOf(key);
  if (family === "e" || family === "c") return { boundMs: eventualMs };
  return family === "m" && node.kind === "isolate" ? { boundMs: mixedMs } : "strong";
}

describe("the twin of the simulation", () => {
  test("ST1 ST2 SB2 SB3 TX1 TX3 ME1 X-02 X-19 what four isolates and two Node processes did under faults is linearizable for strong keys, within the bound for eventual ones, and every L1 equals the shard in the end", {
    timeout: longestMs + 120_000,
  }, async () => {
    const recorder = new Recorder(promised);
    const random = seeded(seed);
    const groups = new KeyGroups(random, { groups: 24, uses: 300 });
    let values = 0;
    const begunAt = performance.now();
    const isLate = () => performance.now() - begunAt > longestMs;
    const isOver = () => recorder.answered >= operations || isLate();

    const clients = bed.nodes.flatMap((node, at) =>
      Array.from({ length: widths[node.kind] }, (_, client) =>
        runClient({
          recorder,
          groups,
          random: seeded(seed + 1_000 * at + client + 1),
          node,
          ...(node.kind === "isolate" ? { http: () => bed.http(at) } : {}),
          newValue: () => ++values,
          changes: node.kind === "isolate" ? 40 : 22,
          isOver,
        }),
      ),
    );
    const peekers = bed.remotes.map(({ node }, at) =>
      runPeeker({ recorder, groups, random: seeded(seed + 100_000 + at), node, isOver }),
    );
    // A node that stands still is asked all the same: what it answers when it goes on was asked after the changes that it missed.
    const pester = async ({ node }: RemoteNode, isDone: () => boolean): Promise<void> => {
      const asked: Promise<unknown>[] = [];
      while (!isDone()) {
        for (const group of groups.present.slice(0, 6)) asked.push(recorder.peek(node, keysOf(group)));
        await sleep(100);
      }
      await Promise.all(asked);
    };
    const faults = new Faults(bed, shards, seeded(seed + 1), pester);
    const killing = async (): Promise<void> => {
      for (let at = 1; at <= kills && !isOver(); at++) {
        while (recorder.answered < (operations * at) / (kills + 1) && !isLate()) await sleep(20);
        await faults.kill(at === 2);
      }
    };
    await Promise.all([...clients, ...peekers, faults.run(isOver), killing()]);
    const tookMs = performance.now() - begunAt;
    for (const { net } of bed.remotes) net.heal();

    const judgedAt = performance.now();
    const judged = judge(recorder.history);
    const { history, answered, caches, codes } = recorder;
    console.log(
      `twin: ${answered} operations answered of ${history.length} in ${(tookMs / 1_000).toFixed(1)} s, ` +
        `${groups.names.length} groups of keys, ${values} values, judged in ${Math.round(performance.now() - judgedAt)} ms`,
    );
    console.log("twin: faults", Object.fromEntries(faults.counts));
    console.log("twin: reads", Object.fromEntries([...caches].sort()));
    console.log("twin: answers", Object.fromEntries([...codes].sort()));
    console.log(
      `twin: ${judged.judged} operations judged for linearizability, ${judged.undecided} groups undecided; ` +
        `greatest staleness seen ${judged.greatestLagMs.toFixed(0)} ms, allowed ${eventualMs} ms`,
    );
    expect(judged.violations.slice(0, 3).join("\n\n"), `seed ${seed}`).toBe("");
    expect(judged.undecided).toBe(0);
    expect(answered, "it took too long").toBeGreaterThanOrEqual(operations);
    expect([faults.counts.get("kill"), faults.counts.get("kill unseen")]).toEqual([kills - 1, 1]);

    // Copies may lag by the bound, and nodes may have to come back.
    await sleep(eventualMs + 500);
    const keys = groups.recent(40).flatMap((group) => keysOf(group));
    const { wrong, compared } = await compareWithShard(keys);
    console.log("twin: copies compared with the shard", Object.fromEntries(compared));
    const [first] = wrong;
    expect(
      wrong.slice(0, 5),
      `seed ${seed}\n${first === undefined ? "" : storyOf(history, first.key)}`,
    ).toEqual([]);
    for (const { name } of bed.nodes) expect(compared.get(name), `copies of ${name}`).toBeGreaterThan(0);
  });
});

interface Difference {
  readonly node: string;
  readonly key: string;
  readonly served: unknown;
  readonly stored: unknown;
}

/** Compares what each node's L1 serves with what the shards have: first without loading anything, then after a load of all. */
async function compareWithShard(keys: readonly string[]) {
  const stored = new Map<string, number | null>();
  const [isolate] = bed.isolates;
  for (const key of keys) {
    // A transaction reads at the shard.
    const answer = await isolate?.call({
      do: "txn",
      compare: [],
      success: [{ op: "get", key }],
      failure: [],
      opId: newOpId(),
    });
    if (!answer?.ok) throw new Error(`the shard can't be asked: ${JSON.stringify(answer)}`);
    stored.set(key, answer.results[0]?.value ?? null);
  }
  const wrong: Difference[] = [];
  const compared = new Map<string, number>();
  for (const node of bed.nodes) {
    for (const pass of ["peek", "getMany", "peek", "getMany"] as const) {
      for (let from = 0; from < keys.length; from += 100) {
        const some = keys.slice(from, from + 100);
        const answer = await node.call({ do: pass, keys: some });
        if (!answer.ok) throw new Error(`${node.name} can't be asked: ${answer.message}`);
        for (const { key, value, cache } of answer.seen) {
          if (cache === "hit") compared.set(node.name, (compared.get(node.name) ?? 0) + 1);
          // Its end may have come between.
          if (familyOf(key) === "x" && value === null) continue;
          if (value !== stored.get(key))
            wrong.push({ node: node.name, key, served: value, stored: stored.get(key) });
        }
      }
    }
  }
  return { wrong, compared };
}
