import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/serve.ts";
import { startOrigin, startUserWorker } from "../support/user-worker.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let origin: Awaited<ReturnType<typeof startOrigin>>;
let worker: Awaited<ReturnType<typeof startUserWorker>>;

beforeAll(async () => {
  folder = await temporaryFolder();
  origin = await startOrigin();
  worker = await startUserWorker({
    folder: folder.path,
    isolates: 4,
    origin: origin.url,
    policies: { "shared:*": { loadSharing: "space" }, "own:*": {} },
  });
  // The first write makes the space. Each isolate and the shard are up before anything is counted.
  await worker.nodes[0]?.write("own:warm", "up");
  for (const node of worker.nodes) await node.read("own:warm");
});

afterAll(async () => {
  await worker?.stop();
  origin?.stop();
  await folder?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  origin.asked.length = 0;
  Object.assign(origin.hooks, { delayMs: 0, fails: false });
});

/** 40 callers at once, ten at each isolate. */
async function crowd(key: string) {
  const calls = Array.from({ length: 40 }, (_, at) => worker.nodes[at % 4]?.load(key));
  return await Promise.all(calls);
}

const loadsOf = (node: number) => origin.asked.filter((one) => one.node === `${node}`).length;

describe("40 callers of a cold key over four isolates and a slow origin", () => {
  test("CO2 with loadSharing space the origin is asked once in all", async () => {
    origin.hooks.delayMs = 500;
    const answers = await crowd("shared:cold");
    expect(answers).toEqual(answers.map(() => ({ value: "shared:cold from the origin" })));
    expect(origin.asked).toHaveLength(1);
  });

  test("CO2 without it the origin is asked once by each isolate", async () => {
    origin.hooks.delayMs = 500;
    const answers = await crowd("own:cold");
    expect(answers).toEqual(answers.map(() => ({ value: "own:cold from the origin" })));
    expect([0, 1, 2, 3].map(loadsOf)).toEqual([1, 1, 1, 1]);
  });
});

test("CO2 an origin that fails is asked by each isolate once for each stretch in which its error is held", async () => {
  Object.assign(origin.hooks, { delayMs: 20, fails: true });
  const begunAt = performance.now();
  let calls = 0;
  const callers = worker.nodes.flatMap((node) =>
    Array.from({ length: 5 }, async () => {
      while (performance.now() - begunAt < 2_000) {
        expect(await node.load("shared:failing")).toEqual({ error: "storage_unavailable" });
        calls++;
      }
    }),
  );
  await Promise.all(callers);
  // Held for 50, 100, 200 ms and so on: after the sixth load more than these two seconds.
  const mostLoads = 6;
  const loads = [0, 1, 2, 3].map(loadsOf);
  console.log(`shared loads: ${calls} calls, loads of the failing origin by isolate: ${loads.join(", ")}`);
  for (const one of loads) {
    expect(one).toBeGreaterThan(0);
    expect(one).toBeLessThanOrEqual(mostLoads);
  }
  expect(calls).toBeGreaterThan(10 * mostLoads);

  origin.hooks.fails = false;
  await expect
    .poll(async () => (await worker.nodes[0]?.load("shared:failing"))?.value, { timeout: 10_000 })
    .toBe("shared:failing from the origin");
});
