import { expect, test } from "vitest";
import type { Lock } from "../../src/locking/lock-handle.ts";
import { type HandleNode, handleBed } from "../support/handle-bed.ts";
import { seeded } from "../support/seeded.ts";

const steps = 120;
const names = ["x", "y"];

/** A node with what it holds and what it asks for. */
interface Actor {
  readonly node: HandleNode;
  readonly held: Set<Lock>;
  readonly asking: Set<AbortController>;
}

/**
 * Nodes whose clocks run at different rates, over ways that are slow, cut, or lose requests and answers, do in any order that a seed chooses what callers do. At no moment two
 * of them may count on one lock, and in the end nothing may be left behind.
 */
async function live(seed: number): Promise<{ readonly grants: number; readonly losses: number }> {
  const { clock, space, ...bed } = handleBed(seed);
  const random = seeded(seed ^ 0x5bd1e995);
  const actors: Actor[] = [0.99, 0.99, 1, 1.01].map((rate) => ({
    node: bed.node({ rate }),
    held: new Set(),
    asking: new Set(),
  }));
  const figures = { grants: 0, losses: 0 };
  const fences = new Map<string, number>();
  /** Grants that were given to a caller though they were over, or after later ones. */
  const wrong: string[] = [];
  const check = (): void => {
    expect(wrong).toEqual([]);
    for (const name of names) {
      const valid = actors
        .flatMap(({ held }) => [...held])
        .filter((lock) => lock.name === name && lock.remainingMs() > 0);
      expect(
        valid.length,
        `${name} is counted on by ${valid.map(({ fence }) => fence).join()}`,
      ).toBeLessThanOrEqual(1);
    }
  };
  const unreleased = new Set<Lock>();
  const release = (lock: Lock): void => {
    lock.release({ timeoutMs: 2_000 }).then(
      () => unreleased.delete(lock),
      () => unreleased.add(lock),
    );
  };
  const ask = (actor: Actor): void => {
    const controller = new AbortController();
    actor.asking.add(controller);
    const waitMs = random.pick([0, 5_000, 40_000, 40_000]);
    const ttlMs = random.pick([200, 1_000, 5_000, 120_000]);
    const { signal } = controller;
    const options = {
      ttlMs,
      waitMs,
      signal,
      autoRenew: random.below(4) > 0,
      timeoutMs: random.pick([300, 3_000]),
    };
    const name = random.pick(names);
    actor.node.lock(name, options).then(
      (lock) => {
        figures.grants++;
        actor.asking.delete(controller);
        // LK2, as their holders see it.
        const before = fences.get(name) ?? 0;
        if (lock.remainingMs() === 0 || lock.fence <= before) wrong.push(`${lock.fence} after ${before}`);
        fences.set(name, lock.fence);
        actor.held.add(lock);
        lock.signal.addEventListener("abort", () => {
          figures.losses++;
          actor.held.delete(lock);
          release(lock);
        });
        if (lock.signal.aborted) actor.held.delete(lock);
      },
      () => void actor.asking.delete(controller),
    );
  };
  const giveBack = (actor: Actor): void => {
    const [lock] = actor.held;
    if (lock === undefined) return;
    actor.held.delete(lock);
    release(lock);
  };
  const act = (actor: Actor): void => {
    const { way } = actor.node;
    const what = random.below(20);
    if (what < 8) ask(actor);
    else if (what < 12) giveBack(actor);
    else if (what < 14) random.pick([...actor.asking, undefined])?.abort();
    else if (what < 16) way.isCut = !way.isCut && random.below(2) === 0;
    else if (what < 17) way.latencyMs = random.pick([0, 2, 30, 400]);
    else
      way.faults.push({
        what: random.pick(["acquire", "claim", "renew", "release", "cancel", "wait"] as const),
        how: random.pick(["request", "answer", "refuse"] as const),
        times: 1 + random.below(3),
      });
  };
  for (let step = 0; step < steps; step++) {
    act(random.pick(actors));
    // Small steps, so that no moment of two holders is passed over.
    const untilMs = clock.now() + random.pick([0, 5, 60, 600, 3_000]);
    do {
      await clock.advance(Math.min(20, untilMs - clock.now()));
      check();
    } while (clock.now() < untilMs);
  }
  for (const { node, held, asking } of actors) {
    node.way.isCut = false;
    node.way.latencyMs = 0;
    node.way.faults.splice(0);
    for (const controller of asking) controller.abort();
    for (const lock of held) release(lock);
  }
  // What could not be told is told when it can be.
  await clock.advance(3_000);
  for (const lock of unreleased) release(lock);
  await clock.advance(10_000);
  // LK10: whatever was given up, lost on its way or released is free, long before its time would be over.
  for (const name of names) expect(space.info(name)).toEqual({ name, holders: [], waiters: 0 });
  for (const { node } of actors) {
    expect(node.holdings.size).toBe(0);
    node.holdings.close();
    await node.locks.close();
  }
  await clock.advance(0);
  expect(clock.timers).toBe(0);
  return figures;
}

test("LK1 LK7 LK10 no two nodes count on one lock at any moment, and nothing is left behind, whatever their ways and clocks do", async () => {
  let grants = 0;
  let losses = 0;
  for (let seed = 1; seed <= 60; seed++) {
    try {
      const figures = await live(seed);
      grants += figures.grants;
      losses += figures.losses;
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    }
  }
  // The worlds are not empty.
  expect(grants).toBeGreaterThan(300);
  expect(losses).toBeGreaterThan(50);
});
