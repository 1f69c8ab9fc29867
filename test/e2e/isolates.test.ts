import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { SpaceHttp } from "../support/http-client.ts";
import { type Served, startServe, temporaryFolder } from "../support/serve.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let served: Served;
let here: SpaceHttp;
let there: SpaceHttp;

beforeAll(async () => {
  folder = await temporaryFolder();
  served = await startServe(folder.path, ["--isolates", "2"]);
  here = new SpaceHttp(served.urls[0] ?? "", "pair");
  there = new SpaceHttp(served.urls[1] ?? "", "pair");
  await here.create({ shards: 4 });
});

afterAll(async () => {
  await served.stop();
  await folder[Symbol.asyncDispose]();
});

describe("two isolates over one object space", () => {
  test("DI-11 what one writes the other reads at once with the same version, if it holds no copy, and the other way round", async () => {
    for (let index = 0; index < 40; index++) {
      const [writer, reader] = index % 2 === 0 ? [here, there] : [there, here];
      const { version } = await writer.put(`fresh:${index}`, `value ${index}`);
      const read = await reader.get(`fresh:${index}`);
      expect(read).toMatchObject({ text: `value ${index}`, version });
    }
  });

  test("SB1 an isolate that was used a moment ago learns by its subscription, long before its copies are due", async () => {
    await here.register("pushed:*", { maxStalenessMs: 3_600_000 });
    const times: number[] = [];
    for (let round = 0; round < 25; round++) {
      const key = `pushed:${round % 5}`;
      const { version } = await here.put(key, `round ${round}`);
      const writtenAt = performance.now();
      for (;;) {
        const read = await there.get(key);
        if (read.version === version) break;
        expect(performance.now() - writtenAt, "ms after the write").toBeLessThan(10_000);
        await sleep(1);
      }
      times.push(performance.now() - writtenAt);
      // So there is a copy that the next write of the key makes old.
      expect((await there.get(key)).cache).toBe("hit");
    }
    times.sort((a, b) => a - b);
    console.log(
      `pushes to an isolate: median ${times[12]?.toFixed(1)} ms, largest ${times[24]?.toFixed(1)} ms`,
    );
  });

  test("SB3 a copy in the other isolate is never older than maxStalenessMs, and versions never go back", async () => {
    // Pushes would drop the copies before anybody can be given an old one.
    const alone = await temporaryFolder();
    const quiet = await startServe(alone.path, ["--isolates", "2"], { WARP_SUBSCRIBE: "off" });
    onTestFinished(async () => {
      await quiet.stop();
      await alone[Symbol.asyncDispose]();
    });
    const [here, there] = quiet.urls.map((url) => new SpaceHttp(url, "quiet"));
    if (here === undefined || there === undefined) throw new Error("two isolates are needed");
    const maxStalenessMs = 400;
    await here.register("bound:*", { maxStalenessMs });
    // The other isolate learns of the registration with its next word from the shard.
    await there.get("bound:warm");
    let copies = 0;
    for (let round = 0; round < 5; round++) {
      const key = `bound:${round % 2}`;
      const { version } = await here.put(key, `round ${round}`);
      const ackedAt = performance.now();
      let seen = 0;
      for (;;) {
        const askedAt = performance.now();
        const read = await there.get(key);
        expect(read.version, "versions never go back").toBeGreaterThanOrEqual(seen);
        seen = read.version;
        if (read.cache === "hit") copies++;
        if (read.version === version) {
          expect(read.text).toBe(`round ${round}`);
          break;
        }
        expect(askedAt - ackedAt, "ms after the reply that an old value was still served").toBeLessThan(
          maxStalenessMs,
        );
        await sleep(20);
      }
    }
    expect(copies, "answers from L1, without which this shows nothing").toBeGreaterThan(0);
  });

  test("CO4 an isolate reads its own writes from L1", async () => {
    for (let index = 0; index < 20; index++) {
      const { version } = await here.put("own", `mine ${index}`);
      expect(await here.get("own")).toMatchObject({ text: `mine ${index}`, version, cache: "hit" });
    }
  });

  test("list and export of one isolate have what the other wrote, in order, over four shards", async () => {
    const keys = Array.from({ length: 300 }, (_, index) => `many:${String(index).padStart(3, "0")}:é𝄞`);
    for (let start = 0; start < keys.length; start += 100) {
      await here.batch(keys.slice(start, start + 100).map((key) => ({ op: "set", key, text: key })));
    }
    const listed: string[] = [];
    let cursor = "";
    do {
      const page = (await there.json(`/keys?prefix=many:&limit=64${cursor}`)) as {
        items: { key: string }[];
        cursor?: string;
      };
      listed.push(...page.items.map(({ key }) => key));
      cursor = page.cursor === undefined ? "" : `&cursor=${encodeURIComponent(page.cursor)}`;
    } while (cursor !== "");
    expect(listed).toEqual(keys);
    const exported = await there.lines("/export?prefix=many:");
    expect(exported).toEqual(keys.map((key) => expect.objectContaining({ key, text: key })));
  });
});
