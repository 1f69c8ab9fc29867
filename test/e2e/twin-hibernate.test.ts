import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newOpId } from "../support/http-client.ts";
import { Bed } from "../support/twin/bed.ts";

/** The runtime takes an object from memory that was idle for 10 s; its sockets stay. Before that leases and alarms have to end. */
const idleMs = 26_000;
let bed: Bed;

beforeAll(async () => {
  bed = await Bed.start({ space: "asleep", nodes: { "node-east": "east", "node-west": "west" } });
  // Not through an isolate: it would subscribe, and what a request holds keeps the object awake.
  const settings = { mode: "strong" };
  await bed.remotes[0]?.node.call({ do: "register", pattern: "s:*", settings });
});

afterAll(() => bed.stop());

test("ST1 ST5 SB2 nodes whose shard hibernates under their sockets go on: nothing old is served, and pushes arrive again", async ({
  skip,
}) => {
  const keys = Array.from({ length: 10 }, (_, at) => `s:${at}`);
  for (const [at, key] of keys.entries()) {
    await bed.remotes[0]?.node.call({ do: "set", key, value: at, opId: newOpId() });
  }
  const holdAll = async (): Promise<number> => {
    let held = 0;
    for (const { node } of bed.remotes) {
      await node.call({ do: "getMany", keys });
      const peeked = await node.call({ do: "peek", keys });
      held += peeked.ok ? peeked.seen.length : 0;
    }
    return held;
  };
  await expect.poll(holdAll, { timeout: 10_000 }).toBe(20);
  const before = await bed.instance();
  // Nobody reads strong keys: leases are not renewed, and beats are answered without waking the object.
  await sleep(idleMs);
  const sockets = bed.remotes.map(({ net }) => net.connections);
  const after = await bed.instance();
  if (after === before) {
    console.log("hibernation: the object stayed in memory");
    skip("this runtime did not take the object from memory");
  }
  expect(sockets, "sockets stay").toEqual([1, 1]);

  const begunAt = performance.now();
  for (const [at, key] of keys.entries()) {
    const [isolate] = bed.isolates;
    expect(await isolate?.call({ do: "set", key, value: 100 + at, opId: newOpId() })).toMatchObject({
      ok: true,
    });
    for (const { node } of bed.remotes) {
      expect(await node.call({ do: "get", key }), node.name).toMatchObject({ seen: { value: 100 + at } });
    }
  }
  console.log(`hibernation: 10 writes after it took ${Math.round(performance.now() - begunAt)} ms`);
  await expect.poll(holdAll, { timeout: 10_000 }).toBe(20);
  for (const key of keys) {
    await bed.remotes[0]?.node.call({ do: "set", key, value: 7, opId: newOpId() });
    expect(await bed.remotes[1]?.node.call({ do: "get", key })).toMatchObject({ seen: { value: 7 } });
  }
});
