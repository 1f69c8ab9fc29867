import { describe, expect, it } from "vitest";
import { WarpError } from "../../src/errors.ts";
import type { Mode } from "../../src/protocol/registration.ts";
import { type BedNode, coreBed, statics } from "../support/core-bed.ts";
import { type Seeded, seeded } from "../support/seeded.ts";

const boundMs = 1_000;
const keys = ["a", "b", "c"];

/** A finished operation, in virtual time. Versions tell values apart: 0 is an absent key. */
interface Done {
  readonly node: number;
  readonly kind: "read" | "write" | "delete";
  readonly key: string;
  readonly beganMs: number;
  readonly endedMs: number;
  /** The version read or written; of a delete the position it was done at. */
  readonly version: number;
  /** The log position of the answer. */
  readonly position: number;
  /** Place in the test's own order: virtual time may stand still between two operations. */
  readonly began: number;
  readonly ended: number;
}

/**
 * Some nodes over one storage, whose calls a seeded scheduler carries out, answers, delays, reorders, and fails at random.
 */
async function run(
  seed: number,
  mode: Mode,
): Promise<{ readonly history: readonly Done[]; readonly report: string[] }> {
  const random = seeded(seed);
  const bed = coreBed({ seed, ...(random.below(2) === 0 ? {} : { logMaxEntries: 12 }) });
  const nodes = Array.from({ length: 2 + random.below(2) }, () =>
    bed.node({ registrations: statics({ "*": { mode, maxStalenessMs: boundMs } }), joinTimeoutMs: 60_000 }),
  );
  for (const { adapter } of nodes) adapter.hold("getMany", "batch", "changes");
  const history: Done[] = [];
  const positions = new Map<string, number>();
  const working: Promise<unknown>[] = [];
  let order = 0;
  let writes = 0;

  const operate = (node: BedNode, index: number, chance: Seeded): void => {
    const key = chance.pick(keys);
    const began = order++;
    const beganMs = bed.clock.now();
    const done = (kind: Done["kind"], version: number | undefined, cursor: string): void => {
      const position = Number(cursor.split(".")[1]);
      const times = { beganMs, endedMs: bed.clock.now(), began, ended: order++ };
      history.push({ node: index, kind, key, version: version ?? position, position, ...times });
    };
    const pick = chance.below(10);
    let work: Promise<unknown>;
    if (pick < 6) work = node.warp.lookup(key).then(({ version, cursor }) => done("read", version, cursor));
    else if (pick < 8)
      work = node.warp.set(key, ++writes).then(({ version, cursor }) => done("write", version, cursor));
    else if (pick < 9) {
      work = node.warp.delete(key).then(({ cursor }) => done("delete", undefined, cursor));
    } else if (chance.below(2) === 0) work = node.warp.invalidate({ keys: [key] });
    else work = node.warp.invalidateLocal({ prefix: "" });
    // Planned failures end operations; they promise nothing then.
    working.push(work.catch(() => undefined));
  };

  const step = async (): Promise<void> => {
    const index = random.below(nodes.length);
    const node = nodes[index];
    if (node === undefined) return;
    const { held } = node.adapter;
    const pick = random.below(20);
    if (pick < 6) operate(node, index, random);
    else if (pick < 10 && held.length > 0) await random.pick(held).act();
    else if (pick < 15 && held.length > 0) {
      const [call] = held.splice(random.below(held.length), 1);
      await call?.answer();
    } else if (pick < 16 && held.length > 0) {
      const [call] = held.splice(random.below(held.length), 1);
      if (random.below(2) === 0) await call?.act();
      call?.fail(new WarpError("unavailable", "planned", { outcome: "unknown" }));
    } else await bed.clock.advance(random.below(boundMs / 2));
    if (random.below(2) === 0) await bed.clock.settle();
  };

  for (let i = 0; i < 200; i++) await step();
  // Quiescence: everything goes through again.
  for (const { adapter } of nodes) {
    adapter.release("getMany", "batch", "changes");
    for (const call of adapter.held.splice(0)) await call.answer();
  }
  await bed.clock.advance(boundMs * 130);
  await Promise.all(working);

  const report: string[] = [];
  const final = bed.storage.read(keys);
  for (const [i, key] of keys.entries()) positions.set(key, final[i]?.version ?? 0);
  if (mode === "eventual") {
    for (const [index, { warp }] of nodes.entries()) {
      for (const key of keys) {
        const { version } = await warp.lookup(key);
        if (version !== positions.get(key))
          report.push(`node ${index} gives ${key}@${version} after quiescence`);
      }
    }
  }
  if (bed.leaks.length > 0) report.push(`leaked: ${String(bed.leaks[0])}`);
  return { history, report };
}

/** What a read must not be older than: the newest change of its key that `counts`. */
function broken(
  history: readonly Done[],
  rule: string,
  counts: (change: Done, read: Done) => boolean,
): string[] {
  const faults: string[] = [];
  for (const read of history) {
    if (read.kind !== "read") continue;
    for (const change of history) {
      if (change.kind === "read" || change.key !== read.key || !counts(change, read)) continue;
      // A key that was found absent: at its position the change had happened, or it was too old an answer.
      const older = (read.version === 0 ? read.position : read.version) < change.version;
      if (older)
        faults.push(`${rule}: node ${read.node} read ${read.key}@${read.version} after @${change.version}`);
    }
  }
  return faults;
}

describe("random interleavings of several nodes over one storage", () => {
  const seeds = Array.from({ length: 150 }, (_, i) => i + 1);

  it.each(["eventual", "local", "strong"] as const)(
    "SB3 CO4 keep their promises in %s mode",
    async (mode) => {
      let reads = 0;
      for (const seed of seeds) {
        const { history, report } = await run(seed, mode);
        const faults = [
          ...report,
          ...broken(history, "CO4", (change, read) => change.node === read.node && change.ended < read.began),
        ];
        if (mode === "eventual") {
          faults.push(...broken(history, "SB3", (change, read) => read.beganMs > change.endedMs + boundMs));
        }
        if (mode === "strong")
          faults.push(...broken(history, "strong", (change, read) => change.ended < read.began));
        expect(faults, `seed ${seed}, ${mode}`).toEqual([]);
        reads += history.filter(({ kind }) => kind === "read").length;
      }
      expect(reads).toBeGreaterThan(seeds.length * 20);
    },
  );
});
