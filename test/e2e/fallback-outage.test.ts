/** About 60 s, 30 of them without a shard; `WARP_OUTAGE_MS` makes it longer or shorter. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LocalRedis } from "../../scripts/redis-bridge/local-redis.ts";
import { newOpId } from "../support/http-client.ts";
import { counters, OutageClient } from "../support/outage/client.ts";
import { missedWrites, Notes } from "../support/outage/notes.ts";
import { redisOrSkip } from "../support/redis-bridge/needed.ts";
import { seeded } from "../support/seeded.ts";
import { eventually } from "../support/serve.ts";
import { Bed } from "../support/twin/bed.ts";
import type { TwinNode } from "../support/twin/calls.ts";

const seed = Number(process.env.WARP_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const outageMs = Number(process.env.WARP_OUTAGE_MS ?? 30_000);
const boundMs = 1_000;
const clientsOfEach = 5;
const missing = redisOrSkip();
/** Those that can't reach the shard for a while: an isolate, and a Node process behind a network. */
const away: ReadonlySet<string> = new Set(["isolate-0", "node-far"]);

const kinds: Readonly<Record<string, RegExp>> = {
  "eventual writes": /-\w+ (set|merge): /,
  reads: /-\w+ get: /,
  "what needs the shard": /(strong|compare|transaction|lock)/,
};

let redis: LocalRedis;
let bed: Bed;

beforeAll(async () => {
  if (missing) return;
  redis = await LocalRedis.start({ seed });
  bed = await Bed.start({
    space: "outage",
    shards: 2,
    settings: { fallback: "upstash" },
    isolates: 3,
    firstDoor: 1,
    nodes: { "node-near": "east", "node-far": "west" },
    variables: redis.variables,
  });
  const http = bed.http(1);
  await http.register("e:*", { maxStalenessMs: boundMs });
  await http.register("c:*", { merge: "sum", maxStalenessMs: boundMs });
  await http.register("l:*", { merge: "append", mergeMaxElements: 10_000, maxStalenessMs: boundMs });
  await http.register("s:*", { mode: "strong" });
});

afterAll(async () => {
  await bed?.stop();
  await redis?.end();
});

describe.skipIf(missing)("a shard that some can't reach", () => {
  test("SB8 SB3 CO4 eventual writes go on as provisional and are applied exactly once, strong ones and locks are unavailable, and all nodes converge when it is back", {
    timeout: outageMs + 150_000,
  }, async () => {
    console.log(`outage: seed ${seed}, ${outageMs} ms (WARP_TEST_SEED repeats its choices)`);
    const notes = new Notes();
    let phase = "before";
    let isOver = false;
    // The second isolate is one door of the Node processes, the third is the test's own.
    const nodes: readonly TwinNode[] = [...bed.isolates.slice(0, 2), ...bed.remotes.map(({ node }) => node)];
    const clients: OutageClient[] = [];
    for (const [at, node] of nodes.entries()) {
      for (let one = 0; one < clientsOfEach; one++) {
        const options = {
          ...{ name: `${node.name}.${one}`, node, notes },
          random: seeded(seed + 100 * at + one),
          all: () => clients.flatMap(({ keys }) => keys),
          isOver: () => isOver,
          phase: () => phase,
        };
        clients.push(new OutageClient(options, clients.length + 1));
      }
    }
    const running = Promise.all(clients.map((client) => client.run()));
    running.catch(() => undefined);
    await sleep(4_000);

    const { net } = bed.remote("node-far");
    // Nobody answers at first; later every attempt fails at once.
    await bed.way(0, "silent");
    net.hold();
    phase = "beginning";
    // Node leases, and calls under way.
    await sleep(6_000);
    phase = "outage";
    await sleep(outageMs / 3);
    await bed.way(0, "broken");
    net.cut({ refusing: true });
    await sleep(Math.max(0, outageMs - 6_000 - outageMs / 3));
    phase = "recovery";
    await bed.way(0, "open");
    net.heal();
    await sleep(8_000);
    phase = "after";
    await sleep(3_000);
    isOver = true;
    await running;
    const stoppedAt = performance.now();

    const told = (phase: string, kind: string) => {
      const ends = [...notes.ends].filter(
        ([name]) => name.startsWith(`${phase} `) && kinds[kind]?.test(name),
      );
      return Object.fromEntries(
        ends.map(([name, count]) => [name.slice(phase.length + 1), count] as const).sort(),
      );
    };
    for (const kind of Object.keys(kinds))
      console.log(`outage: ${kind} while it was away`, told("outage", kind));
    const provisional = notes.count((name) => name.endsWith("provisional"));
    console.log(
      `outage: ${notes.writes.length} sets (${notes.writes.filter((write) => write.provisional).length} provisional), ` +
        `${provisional} provisional changes in all, ${notes.unknown} unknown at first, ${notes.reads.length} reads`,
    );
    expect(notes.violations.slice(0, 5), `seed ${seed}`).toEqual([]);

    // While it was away.
    const isAway = (name: string) => [...away].some((node) => name.startsWith(`outage ${node} `));
    for (const node of away) {
      for (const kind of ["set", "merge"]) {
        expect(
          notes.count((name) => name === `outage ${node} ${kind}: provisional`),
          `${node}: ${kind}`,
        ).toBeGreaterThan(10);
        expect(
          notes.count((name) => name === `outage ${node} ${kind}: ok`),
          `${node}: ${kind}`,
        ).toBe(0);
      }
      expect(
        notes.count((name) => name === `outage ${node} get: marked`),
        node,
      ).toBeGreaterThan(10);
    }
    const needy = /(strong set|strong get|compare|transaction|lock): /;
    expect(notes.count((name) => isAway(name) && needy.test(name) && name.endsWith("ok"))).toBe(0);
    expect(
      notes.count((name) => isAway(name) && needy.test(name) && name.endsWith("unavailable")),
    ).toBeGreaterThan(10);
    const codes = [...notes.ends.keys()].filter((name) => isAway(name) && needy.test(name));
    expect(codes.filter((name) => !/(unavailable|deadline_exceeded)$/.test(name))).toEqual([]);
    // Those that reach the shard go on; at the beginning strong writes wait for the lease of a node that is away (ST3).
    const near = [...notes.ends.keys()].filter((name) => !/ (isolate-0|node-far) /.test(name));
    expect(near.filter((name) => /(provisional|unavailable|marked)$/.test(name))).toEqual([]);

    // All of it, exactly once.
    const lists = [...clients].map(({ list }) => list);
    const isApplied = async () => (await differences(notes, lists)).length === 0;
    await eventually(isApplied, 20_000);
    expect((await differences(notes, lists)).slice(0, 5), `seed ${seed}`).toEqual([]);
    // All nodes come to it.
    const isSame = async () => (await strangers(nodes, notes)).length === 0;
    await eventually(isSame, 20_000);
    console.log(
      `outage: all nodes are the same ${Math.round(performance.now() - stoppedAt)} ms after the last write, the comparisons in it`,
    );
    expect((await strangers(nodes, notes)).slice(0, 5), `seed ${seed}`).toEqual([]);
    expect(missedWrites(notes, boundMs).slice(0, 5), `seed ${seed}`).toEqual([]);
  });
});

/** Where the shards differ from what was acknowledged. */
async function differences(notes: Notes, lists: readonly string[]): Promise<object[]> {
  const wrong: object[] = [];
  const http = bed.http(2);
  const keys = [...notes.present.keys()];
  const values = await stored([...keys, ...counters]);
  for (const [key, value] of notes.present)
    if (values.get(key) !== value) wrong.push({ key, stored: values.get(key), acknowledged: value });
  for (const key of counters) {
    const sum = notes.added.get(key) ?? null;
    if ((values.get(key) ?? null) !== sum) wrong.push({ key, stored: values.get(key), acknowledged: sum });
  }
  for (const key of lists) {
    const appended = notes.appended.get(key) ?? [];
    const { text } = await http.get(key);
    const elements = text === undefined ? [] : (JSON.parse(text) as number[]).map(String);
    if (elements.join() !== appended.join()) {
      const twice = elements.filter((one, at) => elements.indexOf(one) !== at);
      const lost = appended.filter((one) => !elements.includes(one));
      wrong.push({ key, elements: elements.length, appended: appended.length, twice, lost });
    }
  }
  return wrong;
}

/** What the shards have, past every copy. */
async function stored(keys: readonly string[]): Promise<ReadonlyMap<string, number | null>> {
  const values = new Map<string, number | null>();
  for (const key of keys) {
    const read = {
      do: "txn",
      compare: [],
      success: [{ op: "get", key }],
      failure: [],
      opId: newOpId(),
    } as const;
    const answer = await bed.isolates[2]?.call(read);
    if (!answer?.ok) throw new Error(`the shard can't be asked: ${JSON.stringify(answer)}`);
    values.set(key, answer.results[0]?.value ?? null);
  }
  return values;
}

/** What nodes still answer otherwise, or as provisional. */
async function strangers(nodes: readonly TwinNode[], notes: Notes): Promise<object[]> {
  const wrong: object[] = [];
  const expected = new Map([...notes.present, ...notes.added]);
  for (const node of nodes) {
    const answer = await node.call({ do: "getMany", keys: [...expected.keys()], timeoutMs: 5_000 });
    if (!answer.ok) {
      wrong.push({ node: node.name, answer });
      continue;
    }
    for (const { key, value, stale, provisional } of answer.seen) {
      const isRight = value === expected.get(key) && !stale && provisional !== true;
      if (!isRight)
        wrong.push({ node: node.name, key, value, stale, provisional, stored: expected.get(key) });
    }
  }
  return wrong;
}
