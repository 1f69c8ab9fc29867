import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { Mode } from "../../src/protocol/registration.ts";
import { statics } from "../support/core-bed.ts";
import { NodeBed } from "../support/node-bed.ts";
import { ReadHistory } from "../support/read-history.ts";
import { seeded } from "../support/seeded.ts";
import type { VirtualWire } from "../support/virtual-wire.ts";

const boundMs = 1_000;
const keys = ["a", "b"];

/** Nodes over sockets and one without, with wires that are slow, break and fall silent, and a shard whose instance is replaced. */
async function run(bed: NodeBed, seed: number, modes: readonly Mode[]): Promise<ReadHistory> {
  const random = seeded(seed);
  const history = new ReadHistory(bed.clock);
  const policy = (mode: Mode) => ({ registrations: statics({ "*": { mode, maxStalenessMs: boundMs } }) });
  const wired = modes.map((mode) => ({
    mode,
    ...bed.node({ ...policy(mode), delayMs: 1 + random.below(30) }),
  }));
  const nodes = [...wired, { mode: "eventual" as const, ...bed.door(policy("eventual")) }];
  const working: Promise<unknown>[] = [];
  let writes = 0;
  /** Without a connection, and without any word of it, for some seconds. */
  const away = (wire: VirtualWire | undefined): void => {
    if (wire === undefined) return;
    wire.silence();
    wire.refusesWith = { code: 1006, reason: "" };
    bed.clock.after(random.below(10_000), () => {
      wire.refusesWith = undefined;
    });
  };
  for (let step = 0; step < 250; step++) {
    const index = random.below(nodes.length);
    const node = nodes[index];
    const pick = random.below(40);
    if (node !== undefined && pick < 30) {
      const key = random.pick(keys);
      const { mode, warp } = node;
      const begin = (kind: "read" | "change") => history.begin({ node: index, mode, kind, key });
      const work: Promise<unknown> =
        pick < 25
          ? warp.lookup(key).then(begin("read"))
          : pick < 29
            ? warp.set(key, ++writes).then(begin("change"))
            : warp.delete(key).then(begin("change"));
      // What is cut off promises nothing.
      working.push(work.catch(() => undefined));
    } else if (pick === 30 && random.below(3) === 0) wired[index]?.wire.cut();
    else if (pick === 31 && random.below(3) === 0) wired[index]?.wire.silence();
    else if (pick === 33 && random.below(3) === 0) away(wired[index]?.wire);
    else if (pick === 32 && random.below(6) === 0) bed.restart(random.below(2) === 0);
    await bed.clock.advance(random.below(random.below(10) === 0 ? 3_000 : 60));
  }
  await bed.clock.advance(130_000);
  await Promise.all(working);
  // At rest all nodes agree with the shard.
  const { entries } = await bed.bed.read(...keys);
  for (const { warp, mode } of nodes) {
    for (const [i, key] of keys.entries()) {
      const looking = warp.lookup(key);
      await bed.clock.advance(20_000);
      expect((await looking).version, `seed ${seed}, ${mode}`).toBe(entries[i]?.version ?? 0);
    }
  }
  return history;
}

describe("random interleavings of nodes, wires and instances of a real shard", () => {
  const seeds = Array.from({ length: 12 }, (_, i) => i + 1);

  it.each([
    ["strong", ["strong", "strong", "strong"]],
    ["strong beside eventual", ["strong", "eventual", "strong"]],
  ] as const)("ST1 ST2 SB2 SB3 CO4 X-02 X-19 hold in %s mode", { timeout: 60_000 }, async (_name, modes) => {
    let hits = 0;
    for (const seed of seeds) {
      await host.withSql(async (sql) => {
        const bed = new NodeBed(sql);
        await bed.bed.create();
        const history = await run(bed, seed, modes);
        expect(history.faults(boundMs), `seed ${seed}`).toEqual([]);
        expect(bed.reported, `seed ${seed}`).toEqual([]);
        hits += history.hits("strong");
      });
    }
    expect(hits).toBeGreaterThan(seeds.length);
  });
});
