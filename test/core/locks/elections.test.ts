import { describe, expect, test } from "vitest";
import type { ElectionStep } from "../../../src/locking/observation.ts";
import { testWarp } from "../../../src/testing.ts";
import { codeOf } from "../../support/core-bed.ts";

function told({ kind, value, reason, owner }: ElectionStep<unknown>) {
  return [kind, owner, value ?? reason];
}

describe("warp.election", () => {
  test("LK15 one leads at a time, with its value, for all to see; the next follows in order", async () => {
    const { nodes, clock } = testWarp({ nodes: 3 });
    const [a, b, c] = nodes.map((node) => node.election<string>("chief"));
    if (a === undefined || b === undefined || c === undefined) throw new Error("three nodes");
    expect(await c.leader()).toBeUndefined();
    const first = await a.campaign("a:1", { owner: "a" });
    const second = b.campaign("b:1", { owner: "b" });
    const third = c.campaign("c:1", { owner: "c" });
    await clock.advance(100_000);
    expect(await c.leader()).toMatchObject({ owner: "a", fence: first.fence, value: "a:1" });
    await first.proclaim("a:2");
    expect((await b.leader())?.value).toBe("a:2");
    expect(await first.resign()).toBe(true);
    const leading = await second;
    expect(await a.leader()).toMatchObject({ owner: "b", value: "b:1" });
    await leading.resign();
    expect((await third).fence).toBeGreaterThan(leading.fence);
  });

  test("LK15 a campaign ends with its wait or its signal, and leaves no place behind", async () => {
    const { warp, clock } = testWarp();
    await warp.lock("busy");
    const election = warp.election("chief");
    await election.campaign(1);
    expect(await codeOf(election.campaign(2, { waitMs: 0 }))).toBe("lock_held");
    const controller = new AbortController();
    const campaigning = codeOf(election.campaign(2, { signal: controller.signal }));
    await clock.advance(5_000_000);
    expect((await warp.locks.info("chief")).waiters).toBe(1);
    controller.abort();
    await clock.advance(0);
    expect(await campaigning).toBe("aborted");
    expect((await warp.locks.info("chief")).waiters).toBe(0);
    expect(await codeOf(warp.election("busy").campaign(1))).toBe("wrong_kind");
  });

  test("LK15 an observer is told every step in order, and goes on from a cursor", async () => {
    const { nodes, clock } = testWarp({ nodes: 2 });
    const [a, b] = nodes;
    if (a === undefined || b === undefined) throw new Error("two nodes");
    const election = a.election<number>("chief");
    const leader = await election.campaign(1, { owner: "one" });
    const seen: ElectionStep<number>[] = [];
    const end = new AbortController();
    const observing = (async () => {
      for await (const step of b.election<number>("chief").observe({ signal: end.signal })) seen.push(step);
    })();
    await clock.advance(0);
    await leader.proclaim(2);
    await clock.advance(60_000);
    await leader.resign();
    const next = await election.campaign(3, { owner: "two", autoRenew: false, ttlMs: 1_000 });
    await clock.advance(2_000);
    expect(next.signal.aborted).toBe(true);
    end.abort();
    await observing;
    expect(seen.map(told)).toEqual([
      ["elected", "one", 1],
      ["proclaimed", "one", 2],
      ["ended", "one", "released"],
      ["elected", "two", 3],
      ["ended", "two", "expired"],
    ]);
    expect(seen.map(({ gap }) => gap)).toEqual([false, false, false, false, false]);
    const again: unknown[] = [];
    const cursor = seen[1]?.cursor ?? "";
    for await (const step of b.election("chief").observe({ cursor })) {
      again.push(told(step));
      if (again.length === 3) break;
    }
    expect(again).toEqual(seen.slice(2).map(told));
  });

  test("CO10 an observation ends with its node", async () => {
    const { warp, clock } = testWarp();
    const steps = warp.election("chief").observe();
    const next = codeOf(steps.next());
    await clock.advance(1_000);
    await warp.close();
    expect(await next).toBe("warp_closed");
  });

  test("invalid names are refused at once", () => {
    const { warp } = testWarp();
    expect(() => warp.election("")).toThrow(expect.objectContaining({ code: "invalid_lock" }));
  });
});
