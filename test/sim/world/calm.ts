import type { Violation } from "../check/violation.ts";
import type { Plan } from "./plan.ts";
import { isStrongClass } from "./registrations.ts";
import type { World } from "./world.ts";

/**
 * After all faults are healed: every node can write and read every key, what it reads is what is stored, its L1 says the same, and what it has
 * just read it reads from L1 the next time.
 */
export async function checkCalm(
  world: World,
  plan: Plan,
): Promise<{ readonly violations: readonly Violation[]; readonly copies: number }> {
  const violations: Violation[] = [];
  const say = (rule: string, what: string): void => void violations.push({ rule, what, operations: [] });
  let copies = 0;
  for (const [at, node] of world.nodes.entries()) {
    for (const planned of plan.keys) {
      const { key } = planned;
      const before = world.recorder.history.length;
      if (planned.class !== "sum" && planned.class !== "strongSum")
        await world.set(at, key, 100_000 + at * 1_000 + before);
      const set = world.recorder.history[before];
      if (set !== undefined && set.kind === "set" && set.outcome !== "ok")
        say("ST3", `${node.name} can't write ${key} after all is healed: ${set.outcome} ${set.error ?? ""}`);
    }
  }
  await world.kernel.run(world.kernel.nowMs + plan.maxStalenessMs * 1.1 + 1_500);
  for (const [at, node] of world.nodes.entries()) {
    for (const planned of plan.keys) {
      const { key } = planned;
      const stored = await world.stored(key);
      const first = await world.get(at, key);
      if (first === undefined) {
        say("SB2", `${node.name} can't read ${key} after all is healed`);
        continue;
      }
      if ((first.value ?? null) !== stored.value || first.version !== stored.version) {
        say(
          "SB2",
          `${node.name} reads ${key} = ${first.value} v${first.version}; stored is ${stored.value} v${stored.version}`,
        );
      }
      const copy = node.copy(key);
      if (copy === undefined) continue;
      copies++;
      if (copy.version !== stored.version)
        say("SB2", `L1 of ${node.name} has ${key} v${copy.version}; stored is v${stored.version}`);
    }
    for (const planned of plan.keys) {
      const { key } = planned;
      const eventual = !world.isStrong(at, key) || !isStrongClass(planned.class);
      // A copy lives no longer than its TTL, and a small L1 has no room for all.
      const lasts = plan.cacheTtlMs > 1_000 && (plan.nodes[at]?.maxEntries ?? 0) > 10;
      if (!eventual || !lasts || planned.class === "ending") continue;
      let got = await world.get(at, key);
      // A slow disk may take more than the bound to answer one.
      for (let tries = 4; tries > 0 && got?.value !== undefined && got.cache !== "hit"; tries--)
        got = await world.get(at, key);
      if (got?.value !== undefined && got.cache !== "hit")
        say("CO3", `${node.name} never has ${key} in L1 again: ${got.cache}`);
    }
  }
  return { violations, copies };
}
