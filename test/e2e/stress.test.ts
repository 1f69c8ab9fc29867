import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SpaceHttp } from "../support/http-client.ts";
import { seeded } from "../support/seeded.ts";
import { type Served, startServe, temporaryFolder } from "../support/serve.ts";
import { type Answer, StressClient } from "./stress-client.ts";

const clients = 120;
const runMs = 9_000;
const maxStalenessMs = 300;
const patientMs = 6_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let served: Served;
const seed = Number(process.env.WARP_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

beforeAll(async () => {
  folder = await temporaryFolder();
  served = await startServe(folder.path, ["--isolates", "2"]);
  console.log(`stress: seed ${seed}`);
});

afterAll(async () => {
  await served.stop();
  await folder[Symbol.asyncDispose]();
});

/** Answers that a request may get, as `status code`. */
const fine = new Set([
  "200",
  "201",
  "204",
  "404 not_found",
  "404 space_not_found",
  "409 registration_conflict",
  "409 space_conflict",
  "412 precondition_failed",
]);
/** And beside them, in a space that is deleted and made again all the time. */
const fineThere = new Set(["409 space_deleting", "503 space_deleting", "503 unavailable"]);

describe("two isolates under stress", () => {
  test("CO2 many clients that come and go, of one hot set: no request hangs or fails, and all agree in the end", async () => {
    const [here = "", there = ""] = served.urls;
    const main = new SpaceHttp(here, "stress");
    await main.create({ shards: 3 });
    await main.register("hot:*", { maxStalenessMs });
    // Some wait for the next load instead of sharing the running one, or share hardly any.
    await main.register("hot:1*", { mode: "strong" });
    await main.register("hot:2*", { maxStalenessMs: 5 });
    for (let at = 0; at < 12; at++) await main.put(`hot:${at}`, `first ${at}`);
    const wrong: string[] = [];
    let slowest = 0;
    const counts = new Map<string, number>();
    const until = performance.now() + runMs;

    const judge = (what: string, answer: Answer | undefined, also?: ReadonlySet<string>): void => {
      const verdict =
        answer === undefined
          ? "left"
          : answer.code === undefined
            ? `${answer.status}`
            : `${answer.status} ${answer.code}`;
      counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
      if (answer === undefined) return;
      slowest = Math.max(slowest, answer.endedAtMs - answer.begunAtMs);
      if (!fine.has(verdict) && also?.has(verdict) !== true) wrong.push(`${what}: ${verdict} ${answer.text}`);
    };

    const loop = async (index: number): Promise<void> => {
      const random = seeded(seed + index);
      const url = index % 2 === 0 ? here : there;
      let client = new StressClient(url);
      const step = async (): Promise<void> => {
        const dice = random.below(100);
        const key = `/v1/stress/keys/hot:${random.below(12)}`;
        const leaves = random.below(12) === 0 ? { leaveAfterMs: random.below(8) } : {};
        const json = { json: true, ...leaves };
        if (dice < 40) judge("get", await client.send("GET", key, leaves));
        else if (dice < 58)
          judge("miss", await client.send("GET", `/v1/stress/keys/hot:none:${random.below(4)}`, leaves));
        else if (dice < 74) judge("put", await client.send("PUT", key, { body: `by ${index}`, ...leaves }));
        else if (dice < 79) judge("delete", await client.send("DELETE", key, leaves));
        else if (dice < 83) {
          const body = JSON.stringify({ prefix: random.pick(["hot:", "hot:1", "", "other:"]) });
          judge("invalidate", await client.send("POST", "/v1/stress/invalidate", { body, ...json }));
        } else if (dice < 86) {
          const pattern = encodeURIComponent(`reg:${random.below(40)}:*`);
          const method = random.pick(["PUT", "PUT", "DELETE"]);
          const body = method === "PUT" ? { body: JSON.stringify({ maxStalenessMs: 500 }) } : {};
          const path = `/v1/stress/registrations/${pattern}`;
          const answer = await client.send(method, path, { ...body, ...json });
          if (answer?.code !== "registration_not_found") judge("register", answer);
        } else if (dice < 92) {
          const operations = Array.from({ length: 6 }, (_, at) =>
            at % 3 === 0
              ? { op: "set", key: `hot:${random.below(12)}`, text: `batch ${index}` }
              : { op: "get", key: `hot:${random.below(14)}` },
          );
          const body = JSON.stringify({ operations });
          const answer = await client.send("POST", "/v1/stress/batch", { body, ...json });
          judge("batch", answer);
          if (answer?.status === 200 && answer.text.includes('"ok":false'))
            wrong.push(`batch: ${answer.text}`);
        } else if (dice < 95) {
          const space = `/v1/new-${random.below(30)}/keys/k`;
          const put = random.below(2) === 0 ? { body: "x" } : {};
          judge(
            "new space",
            await client.send("body" in put ? "PUT" : "GET", space, { ...put, ...leaves }),
            fineThere,
          );
        } else {
          const path = `/v1/reborn/keys/k${random.below(8)}`;
          const put = random.below(3) === 0 ? { body: "x" } : {};
          judge(
            "reborn",
            await client.send("body" in put ? "PUT" : "GET", path, { ...put, ...leaves }),
            fineThere,
          );
        }
      };
      while (performance.now() < until) {
        try {
          await step();
        } catch (error) {
          wrong.push(String(error));
        }
        if (random.below(40) === 0) {
          client.close();
          client = new StressClient(url);
        }
      }
      client.close();
    };

    const reborn = async (): Promise<void> => {
      const client = new StressClient(there);
      for (let life = 0; performance.now() < until; life++) {
        await sleep(350);
        judge("delete reborn", await client.send("DELETE", "/v1/reborn"), fineThere);
        const body = JSON.stringify({ shards: 1 + ((life * 3) % 7) });
        judge("make reborn", await client.send("PUT", "/v1/reborn", { body, json: true }), fineThere);
      }
      client.close();
    };

    await Promise.all([...Array.from({ length: clients }, (_, index) => loop(index)), reborn()]);
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    console.log(
      `stress: ${total} requests, slowest ${Math.round(slowest)} ms,`,
      Object.fromEntries([...counts].sort()),
    );
    expect(wrong.slice(0, 5), `seed ${seed}`).toEqual([]);
    expect(slowest, "ms of the slowest request").toBeLessThan(patientMs);
    expect(served.output(), `what the server said; seed ${seed}`).not.toMatch(
      /different request|Cannot perform|"level":"error"|uncaught|hung/i,
    );
    expect(total).toBeGreaterThan(1_000);

    await sleep(maxStalenessMs + 50);
    const other = new SpaceHttp(there, "stress");
    const stored = new Map((await main.lines("/export")).map((line) => [String(line.key), line.text]));
    for (let at = 0; at < 14; at++) {
      const key = `hot:${at}`;
      const [one, two] = [await main.get(key), await other.get(key)];
      expect(one.text, key).toBe(stored.get(key));
      expect([two.text, two.version, two.epoch], key).toEqual([one.text, one.version, one.epoch]);
    }
  });
});
