import type { Violation } from "../check/violation.ts";
import type { Plan, PlannedKey } from "./plan.ts";
import type { World } from "./world.ts";

type Say = (rule: string, what: string) => void;

/**
 * After all faults are healed: every node can write and read every key, what it reads is what is stored, its L1 says the same, and what it has
 * just read it reads from L1 the next time.
 */
export async function checkCalm(
  world: World,
  plan: Plan,
): Promise<{ readonly violations: readonly Violation[]; readonly copies: number }> {
  const violations: Violation[] = [];
  const say: Say = (rule, what) => void violations.push({ rule, what, operations: [] });
  if (plan.profile !== "restore") await world.resolveAll();
  // Every node is connected to every shard that it uses.
  for (const at of world.nodes.keys()) for (const { key } of plan.keys) await world.get(at, key);
  for (const at of world.nodes.keys()) {
    for (const planned of plan.keys) await checkWrite(world, plan, at, planned, say);
  }
  await world.kernel.run(world.kernel.nowMs + plan.maxStalenessMs * 1.1 + 1_500);
  await checkPushes(world, plan, say);
  await checkOwnWrites(world, plan, say);
  let copies = 0;
  for (const at of world.nodes.keys()) {
    for (const { key } of plan.keys) if (await checkRead(world, at, key, say)) copies++;
    for (const planned of plan.keys) {
      if (isKept(world, plan, at, planned)) await checkHit(world, at, planned.key, say);
    }
  }
  for (const { key } of plan.keys) await world.readFinally(key);
  return { violations, copies };
}

/** Whether anyone may set it to anything. */
function isFree({ class: one }: PlannedKey): boolean {
  return one !== "sum" && one !== "strongSum" && one !== "counter" && one !== "mark";
}

async function checkWrite(
  world: World,
  plan: Plan,
  at: number,
  planned: PlannedKey,
  say: Say,
): Promise<void> {
  if (!isFree(planned)) return;
  const { key } = planned;
  const before = world.recorder.history.length;
  await world.set(at, key, 100_000 + at * 1_000 + before);
  const { outcome, error = "" } = world.recorder.history[before] ?? {};
  const name = world.node(at).name;
  if (planned.class === "quorum" && !meetsQuorum(plan, at)) {
    if (outcome !== "fail" || error !== "quorum_failed")
      say("ST7", `${name} writes ${key} without its quorum: ${outcome} ${error}`);
  } else if (outcome !== "ok")
    say("ST3", `${name} can't write ${key} after all is healed: ${outcome} ${error}`);
}

/** A change reaches every node that listens by one push: its copy is gone, or the new one, without its having asked (rule SB4). */
async function checkPushes(world: World, plan: Plan, say: Say): Promise<void> {
  const planned = plan.keys.find((one) => one.class === "eventual");
  // Freshness of half the bound is renewed by exchanges, which would tell of the change as well.
  if (planned === undefined || plan.maxStalenessMs < 1_000) return;
  for (const at of world.nodes.keys()) await world.get(at, planned.key);
  const before = world.nodes.map((node) => node.copy(planned.key)?.version);
  for (let times = 0; times < 3; times++) {
    const mark = world.recorder.history.length;
    await world.set(0, planned.key, 300_000 + mark);
    const version = world.recorder.history[mark]?.version ?? 0;
    await world.kernel.run(world.kernel.nowMs + 200);
    for (const [at, node] of world.nodes.entries()) {
      const copy = node.copy(planned.key);
      if (plan.nodes[at]?.transport !== "socket" || before[at] === undefined) continue;
      if (copy !== undefined && copy.version < version)
        say(
          "SB4",
          `${node.name} was not told of ${planned.key} v${version} within 200 ms: it has v${copy.version}`,
        );
    }
  }
}

/** What a node wrote it has in L1, also when the log has told it of its own change behind a foreign one (rule CO4). */
async function checkOwnWrites(world: World, plan: Plan, say: Say): Promise<void> {
  const [own, foreign] = plan.keys.filter((one) => one.class === "eventualPair");
  if (own === undefined || foreign === undefined) return;
  for (const at of world.nodes.keys()) {
    if (!isKept(world, plan, at, own)) continue;
    // A disk that takes longer than the bound to answer makes a miss now and then, never each time.
    let got = await writeBehind(world, plan, at, own.key, foreign.key);
    for (let tries = 3; tries > 0 && got?.value !== undefined && got.cache !== "hit"; tries--)
      got = await writeBehind(world, plan, at, own.key, foreign.key);
    if (got?.value !== undefined && got.cache !== "hit")
      say("CO4", `${world.node(at).name} no longer has ${own.key}, which it wrote itself: ${got.cache}`);
  }
}

/** A node writes a key behind another's write of a key that it holds; gives what it reads when it has been told of both. */
async function writeBehind(world: World, plan: Plan, at: number, own: string, foreign: string) {
  await world.get(at, foreign);
  await world.set(at + 1, foreign, 400_000 + world.recorder.history.length);
  await world.set(at, own, 400_000 + world.recorder.history.length);
  await world.kernel.run(world.kernel.nowMs + plan.maxStalenessMs * 1.1);
  return await world.get(at, own);
}

/** Gives whether L1 has a copy. */
async function checkRead(world: World, at: number, key: string, say: Say): Promise<boolean> {
  const node = world.node(at);
  const stored = await world.stored(key);
  const found = await world.get(at, key);
  if (found === undefined) {
    say("SB2", `${node.name} can't read ${key} after all is healed`);
    return false;
  }
  if ((found.value ?? null) !== stored.value || found.version !== stored.version) {
    const read = `${found.value} v${found.version}`;
    say("SB2", `${node.name} reads ${key} = ${read}; stored is ${stored.value} v${stored.version}`);
  }
  const copy = node.copy(key);
  if (copy !== undefined && copy.version !== stored.version)
    say("SB2", `L1 of ${node.name} has ${key} v${copy.version}; stored is v${stored.version}`);
  return copy !== undefined;
}

/** Whether a copy of the key should stay in the node's L1 for a while. */
function isKept(world: World, plan: Plan, at: number, planned: PlannedKey): boolean {
  const node = plan.nodes[at];
  // A copy lives no longer than its TTL, and a small L1 has no room for all.
  if (plan.cacheTtlMs <= 1_000 || node === undefined || node.maxEntries <= 10) return false;
  if (planned.class === "ending" || planned.class === "strongEnding") return false;
  return node.transport === "socket" || !world.isStrong(at, planned.key);
}

async function checkHit(world: World, at: number, key: string, say: Say): Promise<void> {
  let got = await world.get(at, key);
  // A slow disk may take more than the bound to answer one, and a lease comes with the second.
  for (let tries = 12; tries > 0 && got?.value !== undefined && got.cache !== "hit"; tries--)
    got = await world.get(at, key);
  if (got?.value !== undefined && got.cache !== "hit")
    say("CO3", `${world.node(at).name} never has ${key} in L1 again: ${got.cache}`);
}

/** Whether other nodes than this one make the quorum of the keys that want one: those with sessions count. */
function meetsQuorum({ nodes, quorum }: Plan, writer: number): boolean {
  const { process, transport } = nodes[writer] ?? {};
  const zones = new Map<string, string>();
  for (const node of nodes) {
    const isOwn = transport === "socket" && node.process === process;
    if (node.transport === "socket" && !isOwn && !zones.has(node.process)) zones.set(node.process, node.zone);
  }
  return zones.size >= quorum.nodes && new Set(zones.values()).size >= quorum.zones;
}
