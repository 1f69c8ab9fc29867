import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newOpId } from "../support/http-client.ts";
import { seeded } from "../support/seeded.ts";
import { eventually } from "../support/serve.ts";
import { Bed, type RemoteNode } from "../support/twin/bed.ts";
import type { TwinNode } from "../support/twin/calls.ts";
import { judge } from "../support/twin/judge.ts";
import { Recorder } from "../support/twin/recorder.ts";

const seed = Number(process.env.WARP_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const boundMs = 1_000;
let bed: Bed;

beforeAll(async () => {
  const far = Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`node-far-${at}`, "west"]));
  bed = await Bed.start({ space: "cut", nodes: { "node-near": "east", ...far } });
  await bed.http().register("s:*", { mode: "strong" });
  await bed.http().register("e:*", { maxStalenessMs: boundMs });
});

afterAll(() => bed.stop());

const promised = (_node: TwinNode, key: string) => (key.startsWith("s:") ? ("strong" as const) : { boundMs });

/** How a node is cut off, and for how long. */
interface Cut {
  readonly how: string;
  readonly cut: (far: RemoteNode) => unknown;
  readonly lengthMs: number;
}

const cuts: readonly Cut[] = [
  { how: "held back in both directions", cut: ({ net }) => net.hold(), lengthMs: 9_000 },
  { how: "that hears nothing", cut: ({ net }) => net.hold("down"), lengthMs: 7_000 },
  { how: "that is not heard", cut: ({ net }) => net.hold("up"), lengthMs: 7_000 },
  {
    how: "whose connections break and are refused",
    cut: ({ net }) => net.cut({ refusing: true }),
    lengthMs: 7_000,
  },
  { how: "that stands still", cut: ({ node }) => node.pause(), lengthMs: 6_500 },
  { how: "for less than its lease", cut: ({ net }) => net.hold(), lengthMs: 2_000 },
];

/** The next instance of the shard knows nothing of whom it must wait for, but that there may be somebody. */
const ends: readonly Cut[] = [
  {
    how: "while its shard's object is aborted",
    cut: async ({ net }) => {
      net.hold();
      await bed.abort();
    },
    lengthMs: 8_500,
  },
  {
    how: "while the runtime is killed",
    cut: async ({ net }) => {
      net.hold();
      await bed.killAndRestart();
    },
    lengthMs: 8_500,
  },
];

describe("a node that is cut off while it is busy", () => {
  describe.concurrent("alone", () => {
    test.for(cuts.map((cut, at) => ({ ...cut, at })))(
      "SB2 SB3 ST1 ST3 X-19 $how: it serves from L1 what its lease and its bound allow, and nothing after",
      { timeout: 60_000 },
      async (cut) => show(cut, bed.remote(`node-far-${cut.at}`)),
    );
  });

  test.for(ends.map((cut, at) => ({ ...cut, at })))(
    "ST5 SB2 X-19 $how: the shard waits for what it may serve, and it serves nothing after",
    { timeout: 60_000 },
    async (cut) => show(cut, bed.remote(`node-far-${cuts.length + cut.at}`)),
  );
});

async function show({ how, cut, lengthMs }: Cut, far: RemoteNode): Promise<void> {
  const isStill = how === "that stands still";
  const recorder = new Recorder(promised);
  let values = 0;
  const keys = Array.from({ length: 12 }, (_, at) => `${at % 2 === 0 ? "s" : "e"}:${far.node.name}:${at}`);
  for (const key of keys) {
    await recorder.change(
      bed.isolates[0] as TwinNode,
      { do: "set", key, value: ++values, opId: newOpId() },
      10_000,
    );
  }
  const holdsAll = async (): Promise<boolean> => {
    await recorder.get(far.node, keys, 3_000);
    const held = await far.node.call({ do: "peek", keys });
    return held.ok && held.seen.length === keys.length;
  };
  expect(await eventually(holdsAll, 15_000), "it holds all keys").toBe(true);

  const over = { readers: false, writers: false };
  /** When L1 last served, by kind of key. */
  const lastHitAt = { s: 0, e: 0 };
  const busy = Array.from({ length: 3 }, async (_, at) => {
    const random = seeded(seed + at);
    const waits: Promise<unknown>[] = [];
    while (!over.readers) {
      // A process that stands still answers later.
      waits.push(recorder.peek(far.node, [random.pick(keys), random.pick(keys)]));
      await sleep(10);
    }
    await Promise.all(waits);
  });
  // It also asks for more than L1 has, and waits for that.
  const asking = Array.from({ length: 3 }, async (_, at) => {
    const random = seeded(seed + 50 + at);
    while (!over.readers) {
      const fine = await recorder.get(far.node, [random.pick(keys)], 1_500);
      await sleep(fine ? 5 : 50);
    }
  });
  const writing = [bed.isolates[1], bed.isolates[2], bed.remote("node-near").node].map(async (node, at) => {
    const random = seeded(seed + 100 + at);
    while (!over.writers) {
      const change = { do: "set", key: random.pick(keys), value: ++values, opId: newOpId() } as const;
      await recorder.change(node as TwinNode, change, 12_000);
      await sleep(20);
    }
  });
  await sleep(500);
  const cutAtMs = performance.now();
  await cut(far);
  await sleep(lengthMs);
  if (isStill) far.node.resume();
  far.net.heal();
  const healedAtMs = performance.now();
  await sleep(1_500);
  over.writers = true;
  await Promise.all(writing);
  over.readers = true;
  await Promise.all([...busy, ...asking]);

  const hits = recorder.history.filter(
    ({ node, kind, cache, outcome }) =>
      node === far.node.name && kind === "get" && cache === "hit" && outcome === "ok",
  );
  const during = hits.filter(({ callMs, retMs }) => callMs > cutAtMs && retMs < healedAtMs);
  for (const { callMs, keys: of } of during) {
    const kind = of[0]?.startsWith("s:") ? "s" : "e";
    lastHitAt[kind] = Math.max(lastHitAt[kind], callMs - cutAtMs);
  }
  const judged = judge(recorder.history);
  console.log(
    `cut off, ${how}: ${recorder.answered} operations, ${during.length} hits while away ` +
      `(strong up to ${lastHitAt.s.toFixed(0)} ms, eventual up to ${lastHitAt.e.toFixed(0)} ms after the cut), ` +
      `greatest staleness ${judged.greatestLagMs.toFixed(0)} ms, allowed ${boundMs} ms`,
  );
  expect(judged.violations.slice(0, 2).join("\n\n"), `seed ${seed}`).toBe("");
  expect(judged.undecided).toBe(0);
  // Node lease of 4 s, bound of 1 s: from the last exchange on, which was before the cut or on its way.
  expect(lastHitAt.s).toBeLessThan(4_100);
  expect(lastHitAt.e).toBeLessThan(boundMs + 100);
  // It is back by itself.
  for (const key of keys) {
    const isBack = async () => (await far.node.call({ do: "get", key, timeoutMs: 2_000 })).ok;
    expect(await eventually(isBack, 15_000), "it is back").toBe(true);
  }
}
