import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newOpId } from "../support/http-client.ts";
import { type Seeded, seeded } from "../support/seeded.ts";
import { Bed } from "../support/twin/bed.ts";
import type { TwinNode } from "../support/twin/calls.ts";
import { insist } from "../support/twin/insist.ts";
import { type GrantRef, machineMs } from "../support/twin/lock-calls.ts";
import { counterOf, lockOf, runLockClient, runSharer, ttlMs } from "../support/twin/lock-client.ts";
import { LockLedger } from "../support/twin/lock-ledger.ts";

const seed = Number(process.env.WARP_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Clients on the one name, and as many on names of their own. */
const clients = Number(process.env.WARP_LOCK_CLIENTS ?? 32);
const kills = Number(process.env.WARP_LOCK_KILLS ?? 10);
const shards = 2;
const keepers = 8;

let bed: Bed;

beforeAll(async () => {
  bed = await Bed.start({ space: "locks", shards, nodes: { "node-east": "east", "node-west": "west" } });
  console.log(`locks: seed ${seed}, 2 × ${clients} clients, ${kills} kills`);
});

afterAll(() => bed.stop());

/** Isolates and Node processes in turn, so that each has as many clients. */
function nodeFor(client: number): TwinNode {
  const { isolates, remotes } = bed;
  const nodes: readonly TwinNode[] = client % 2 === 0 ? isolates : remotes.map(({ node }) => node);
  return nodes[(client >> 1) % nodes.length] as TwinNode;
}

test(
  `LK1 LK2 LK3 LK5 LK8 LK13 LK14 X-12 2 × ${clients} clients on one name and on ${clients} names through ${kills} kills -9 and aborted objects`,
  async () => {
    const random = seeded(seed);
    const ledger = new LockLedger();
    const begunMs = machineMs();
    let over = false;
    const isOver = (): boolean => over;
    const one = ["hot"];
    const many = Array.from({ length: clients }, (_, at) => `g${at}`);
    const common = { ledger, random, shards, isOver };
    const runs = [
      ...many.map((_, at) =>
        runLockClient({
          ...common,
          client: `h${at}`,
          node: nodeFor(at),
          groups: one,
          deaths: 150,
          pauseMs: 0,
        }),
      ),
      ...many.map((_, at) =>
        runLockClient({
          ...common,
          client: `m${at}`,
          node: nodeFor(at),
          groups: many,
          deaths: 30,
          pauseMs: 400,
        }),
      ),
    ];
    const sharers = Array.from({ length: 12 }, (_, at) =>
      runSharer(
        { ...common, client: `s${at}`, node: nodeFor(at), pauseMs: 100 },
        at % 4 < 2 ? "semaphore" : "readers",
      ),
    );
    const kept = Array.from({ length: keepers }, (_, at) => keep(nodeFor(at), `keep:${at}`, isOver));
    const restarts = await disturb(random, ledger);
    over = true;
    await Promise.all([...runs, ...sharers]);
    const lost = (await Promise.all(kept)).filter((trouble) => trouble !== undefined);

    const names = [...one, ...many];
    const counters = new Map<string, number>();
    for (const group of names) counters.set(lockOf(group), await counted(group));
    const violations = ledger.judge(counters);
    const { served, away } = ledger.queued;
    const seconds = (machineMs() - begunMs) / 1_000;
    const total = [...counters.values()].reduce((sum, value) => sum + value, 0);
    console.log(
      `locks: ${ledger.held.length} grants in ${seconds.toFixed(1)} s, ${ledger.writes.length} acknowledged increments of ${total}, ` +
        `${served} served from queues (${away} of them had been away), ${keepers} kept through it all; restarts took`,
      restarts.map(Math.round),
      ledger.counts,
    );
    expect(violations.slice(0, 10), `seed ${seed}: ${violations.length} violations`).toEqual([]);
    expect(lost, `seed ${seed}`).toEqual([]);
    expect(ledger.held.length).toBeGreaterThan(kills * 15);
    expect(served - away, "waiters that the order is judged by").toBeGreaterThan(kills * 2);
  },
  120_000 + kills * 10_000,
);

/** Kills the runtime, and aborts objects between kills; gives how long each restart took, in ms. */
async function disturb(random: Seeded, ledger: LockLedger): Promise<readonly number[]> {
  const took: number[] = [];
  await progress(ledger, 80);
  for (let kill = 0; kill < kills; kill++) {
    await progress(ledger, 12);
    await bed.abort(random.below(shards)).catch(() => undefined);
    await progress(ledger, 12);
    await sleep(random.below(100));
    const atMs = machineMs();
    await bed.killAndRestart();
    took.push(machineMs() - atMs);
  }
  await progress(ledger, 30);
  return took;
}

/** Waits for so many more grants, so that each fault strikes clients at work; but not for ever. */
async function progress(ledger: LockLedger, grants: number): Promise<void> {
  const wanted = ledger.held.length + grants;
  for (const untilMs = machineMs() + 10_000; ledger.held.length < wanted && machineMs() < untilMs; )
    await sleep(20);
}

/** Holds one name from the beginning to the end, as it was granted: renewed in time it is lost by nothing. Gives what was wrong. */
async function keep(node: TwinNode, name: string, isOver: () => boolean): Promise<string | undefined> {
  const owner = `keeper-of-${name}`;
  const got = await node.call({ do: "lock", name, owner, ttlMs, waitMs: 0, autoRenew: true });
  if (!got.ok) return `${name}: ${got.code} ${got.message}`;
  const grant: GrantRef = { name, owner, fence: got.fence };
  while (!isOver()) {
    await sleep(500);
    if (node.kind === "node") {
      const belief = await node.call({ do: "belief", grant });
      if (!belief.ok || belief.lost) return `${name}: ${JSON.stringify(belief)}`;
    } else {
      const renewed = await node.call({ do: "renew", grant });
      if (!renewed.ok) return `${name}: ${renewed.code} ${renewed.message}`;
    }
  }
  const proved = await node.call({ do: "confirm", grant });
  return proved.ok ? undefined : `${name}: ${proved.code} ${proved.message}`;
}

/** A counter as the shard has it. */
async function counted(group: string): Promise<number> {
  const { answer } = await insist(bed.isolates[0] as TwinNode, {
    do: "txn",
    compare: [],
    success: [{ op: "get", key: counterOf(group) }],
    failure: [],
    opId: newOpId(),
  });
  if (!answer.ok) throw new Error(`${group}: ${answer.code} ${answer.message}`);
  return answer.results[0]?.value ?? 0;
}
