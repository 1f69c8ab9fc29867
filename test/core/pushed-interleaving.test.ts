import { describe, expect, it } from "vitest";
import type { Mode } from "../../src/protocol/registration.ts";
import { coreBed, statics } from "../support/core-bed.ts";
import { PushedSpace } from "../support/pushed-space.ts";
import { seeded } from "../support/seeded.ts";

const boundMs = 1_000;
const keys = ["a", "b"];

/** A finished operation. Versions tell values apart: 0 is an absent key. */
interface Done {
  readonly node: number;
  readonly mode: Mode;
  readonly kind: "read" | "change";
  readonly key: string;
  readonly cache: string;
  readonly beganMs: number;
  readonly endedMs: number;
  readonly began: number;
  readonly ended: number;
  /** The version read or written; of an absent key, and of a delete, the log position. */
  readonly at: number;
}

interface Outcome {
  readonly history: readonly Done[];
  readonly report: readonly string[];
  readonly waits: number;
}

/** Nodes whose requests, replies, pushes and invalidations are delivered, cut off and lost as a seed has it. */
async function run(seed: number, modes: readonly Mode[]): Promise<Outcome> {
  const random = seeded(seed);
  const bed = coreBed({ seed, ...(random.below(3) === 0 ? { logMaxEntries: 12 } : {}) });
  const space = new PushedSpace(bed.clock, bed.storage, random);
  const nodes = modes.map((mode) => {
    const through = space.connect();
    const registrations = statics({ "*": { mode, maxStalenessMs: boundMs } });
    return { mode, through, ...bed.node({ through, registrations, joinTimeoutMs: 60_000 }) };
  });
  const history: Done[] = [];
  const working: Promise<unknown>[] = [];
  let order = 0;
  let writes = 0;

  const operate = (index: number): void => {
    const node = nodes[index];
    if (node === undefined) return;
    const { warp, mode } = node;
    const key = random.pick(keys);
    const began = order++;
    const beganMs = bed.clock.now();
    const done = (kind: Done["kind"], version: number, cursor: string, cache: string): void => {
      const at = version === 0 ? Number(cursor.split(".")[1]) : version;
      const times = { beganMs, endedMs: bed.clock.now(), began, ended: order++ };
      history.push({ node: index, mode, kind, key, cache, at, ...times });
    };
    const pick = random.below(10);
    let work: Promise<unknown>;
    if (pick < 8)
      work = warp.lookup(key).then(({ version, cursor, cache }) => done("read", version, cursor, cache));
    else if (pick < 9)
      work = warp.set(key, ++writes).then(({ version, cursor }) => done("change", version, cursor, ""));
    else if (random.below(2) === 0)
      work = warp.delete(key).then(({ cursor }) => done("change", 0, cursor, ""));
    else work = warp.invalidate({ keys: [key] });
    // What is cut off promises nothing.
    working.push(work.catch(() => undefined));
  };

  const deliver = (list: (() => void)[], at: number): void => list.splice(at, 1)[0]?.();
  const deliverTo = ({ session }: (typeof nodes)[number]["through"]): void =>
    session.outbox.shift()?.deliver();

  const step = async (): Promise<void> => {
    const index = random.below(nodes.length);
    const { requests, loose } = space;
    const through = nodes[index]?.through;
    if (through === undefined) return;
    const pick = random.below(30);
    if (pick < 8) operate(index);
    else if (pick < 15) deliver(requests, random.below(Math.max(1, requests.length)));
    else if (pick < 22) for (let i = random.below(4); i >= 0; i--) deliverTo(through);
    else if (pick < 24) deliver(loose, random.below(Math.max(1, loose.length)));
    else if (pick < 26) through.session.renew();
    else if (pick < 27 && random.below(6) === 0) {
      if (through.session.isOpen) through.session.cut();
      else through.session.reopen();
    } else await bed.clock.advance(random.below(random.below(8) === 0 ? boundMs * 3 : boundMs / 8));
    space.pump();
    if (random.below(3) > 0) await bed.clock.settle();
  };

  for (let i = 0; i < 300; i++) await step();
  // Quiescence: everything arrives, and every lease ends.
  for (let i = 0; i < 200; i++) {
    for (const { through } of nodes) if (!through.session.isOpen) through.session.reopen();
    while (space.requests.length > 0) deliver(space.requests, 0);
    while (space.loose.length > 0) deliver(space.loose, 0);
    for (const { through } of nodes) while (through.session.outbox.length > 0) deliverTo(through);
    space.pump();
    await bed.clock.advance(boundMs);
  }
  await Promise.all(working);

  const report: string[] = [];
  const final = bed.storage.read(keys);
  for (const [index, { warp, through, mode }] of nodes.entries()) {
    if (mode === "local") continue;
    for (const [i, key] of keys.entries()) {
      const looking = warp.lookup(key);
      for (let turn = 0; turn < 4; turn++) {
        await bed.clock.settle();
        while (space.requests.length > 0) deliver(space.requests, 0);
        while (through.session.outbox.length > 0) deliverTo(through);
      }
      const { version } = await looking;
      if (version !== (final[i]?.version ?? 0))
        report.push(`node ${index} gives ${key}@${version} after quiescence`);
    }
  }
  if (bed.leaks.length > 0) report.push(`leaked: ${String(bed.leaks[0])}`);
  return { history, report, waits: space.waits };
}

/** Reads of a mode that are older than something that `counts`. */
function broken(
  { history }: Outcome,
  rule: string,
  counts: (before: Done, read: Done) => boolean,
): readonly string[] {
  const faults: string[] = [];
  for (const read of history) {
    if (read.kind !== "read") continue;
    for (const before of history) {
      if (before.key !== read.key || before.at <= read.at || !counts(before, read)) continue;
      faults.push(
        `${rule}: node ${read.node} read ${read.key}@${read.at} (${read.cache}) after a ${before.kind} @${before.at} of node ${before.node}`,
      );
    }
  }
  return faults;
}

describe("random interleavings of pushes, exchanges, replies, invalidations and cuts", () => {
  const seeds = Array.from({ length: 120 }, (_, i) => i + 1);
  const cases: readonly (readonly [string, readonly Mode[]])[] = [
    ["eventual", ["eventual", "eventual", "eventual"]],
    ["strong", ["strong", "strong", "strong"]],
    ["strong beside eventual", ["strong", "eventual", "strong"]],
    ["local beside strong", ["local", "strong", "eventual"]],
  ];

  it.each(cases)("ST1 SB2 SB3 CO4 X-02 X-19 hold in %s mode", async (_name, modes) => {
    let hits = 0;
    let waits = 0;
    for (const seed of seeds) {
      const outcome = await run(seed, modes);
      const faults = [
        ...outcome.report,
        ...broken(
          outcome,
          "CO4",
          (before, read) =>
            before.kind === "change" && before.node === read.node && before.ended < read.began,
        ),
        ...broken(
          outcome,
          "SB3",
          (before, read) =>
            read.mode === "eventual" && before.kind === "change" && read.beganMs > before.endedMs + boundMs,
        ),
        // Later than a change or than another strong read that has ended: linearizable.
        ...broken(
          outcome,
          "ST1",
          (before, read) =>
            read.mode === "strong" &&
            (before.kind === "change" || before.mode === "strong") &&
            before.ended < read.began,
        ),
      ];
      expect(faults, `seed ${seed}`).toEqual([]);
      hits += outcome.history.filter(({ cache, mode }) => cache === "hit" && mode === modes[0]).length;
      waits += outcome.waits;
    }
    // It was L1 that was put to the test.
    expect(hits).toBeGreaterThan(seeds.length);
    if (modes.includes("strong")) expect(waits).toBeGreaterThan(seeds.length);
  });
});
