import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Warp } from "../../src/core/warp.ts";
import { connectWarp } from "../../src/node.ts";
import { shardOf } from "../../src/protocol/key.ts";
import { textCodec } from "../../src/runtime/codec.ts";
import { failure } from "../contract/adapter-bed.ts";
import { type Problem, SpaceHttp } from "../support/http-client.ts";
import { eventually, type Served, startServe, temporaryFolder } from "../support/serve.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let served: Served;
const nodes: Warp[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  served = await startServe(folder.path, ["--isolates", "2"]);
});

afterAll(async () => {
  for (const node of nodes) await node.close();
  await served?.stop();
  await folder?.[Symbol.asyncDispose]();
});

/** A node of its own, as another process would be. */
function connect(space: string, options: Parameters<typeof connectWarp>[1] = {}): Warp {
  const node = connectWarp(served.url, { space, onError: () => {}, ...options });
  nodes.push(node);
  return node;
}

const http = (space: string): SpaceHttp => new SpaceHttp(served.url, space);

/** The middle and the largest of some times, for the log. */
function told(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  return `median ${sorted[sorted.length >> 1]?.toFixed(1)} ms, largest ${sorted.at(-1)?.toFixed(1)} ms`;
}

describe("nodes in Node processes over serve", () => {
  test("SB1 what one node writes another learns by a push, long before its copies are due", async () => {
    const [writer, reader] = [connect("pushes"), connect("pushes")];
    await writer.register("p:*", { maxStalenessMs: 3_600_000 });
    await writer.set("p:1", 0);
    expect(await reader.get("p:1")).toBe(0);
    expect(await reader.getEntry("p:1")).toMatchObject({ cache: "hit" });
    const times: number[] = [];
    for (let value = 1; value <= 50; value++) {
      await writer.set("p:1", value);
      const writtenAt = performance.now();
      while ((await reader.get("p:1")) !== value) await sleep(1);
      times.push(performance.now() - writtenAt);
    }
    console.log(`pushes: ${told(times)} after the write's reply`);
    expect(Math.max(...times)).toBeLessThan(3_000);
    expect(reader.stats().catchUps).toBe(0);
  });

  test("SB1 what HTTP callers of any isolate write is pushed, too", async () => {
    const reader = connect("doors");
    await reader.register("p:*", { maxStalenessMs: 3_600_000 });
    for (const url of served.urls) {
      await new SpaceHttp(url, "doors").put("p:1", `by ${url}`);
      expect(await eventually(async () => (await readText(reader, "p:1")) === `by ${url}`)).toBe(true);
    }
  });

  test("ST1 ST3 strong reads are hits in L1 under a node lease, and a write waits for them to be dropped", async () => {
    const [writer, reader] = [connect("strong"), connect("strong")];
    await writer.register("s:*", { mode: "strong" });
    await writer.set("s:1", 0);
    expect(
      await eventually(async () => {
        await reader.get("s:1");
        return (await reader.getEntry("s:1"))?.cache === "hit";
      }),
    ).toBe(true);
    const times: number[] = [];
    for (let value = 1; value <= 50; value++) {
      const begunAt = performance.now();
      await writer.set("s:1", value);
      times.push(performance.now() - begunAt);
      const entry = await reader.getEntry("s:1");
      expect(entry?.value).toBe(value);
      await reader.get("s:1");
    }
    console.log(`strong writes with a holder: ${told(times)}`);
    expect(Math.max(...times)).toBeLessThan(3_000);
    expect(reader.stats().hits).toBeGreaterThan(25);
  });

  test("ST2 a write by any door waits for the copies of nodes: HTTP, too", async () => {
    const reader = connect("strong");
    for (let value = 0; value < 10; value++) {
      await http("strong").put("s:2", `${value}`);
      for (let read = 0; read < 3; read++) expect(await readText(reader, "s:2")).toBe(`${value}`);
    }
    expect(reader.stats().hits).toBeGreaterThan(5);
  });

  test("ST3 a node that closes gives its lease back: nobody waits for it", async () => {
    const [writer, reader] = [connect("leaving"), connect("leaving")];
    await writer.register("s:*", { mode: "strong" });
    await writer.set("s:1", 0);
    expect(
      await eventually(async () => {
        await reader.get("s:1");
        return (await reader.getEntry("s:1"))?.cache === "hit";
      }),
    ).toBe(true);
    await reader.close();
    await sleep(50);
    const begunAt = performance.now();
    await writer.set("s:1", 1);
    expect(performance.now() - begunAt).toBeLessThan(2_000);
  });

  test("X-17 the isolate that a write came through does not count for its quorum, another one does", async () => {
    const [own, other] = served.urls.map((url) => new SpaceHttp(url, "isolates"));
    if (own === undefined || other === undefined) throw new Error("two isolates are needed");
    await own.register("q:*", { mode: "strong", quorum: 1 });
    const put = async (): Promise<unknown> =>
      await own.put("q:1", "x").then(
        () => "written",
        ({ code }: Problem) => code,
      );
    for (let i = 0; i < 5; i++) {
      expect(await put()).toBe("quorum_failed");
      await sleep(50);
    }
    expect(
      await eventually(async () => {
        await other.get("q:1");
        return (await put()) === "written";
      }),
    ).toBe(true);
  });

  test("X-19 after kill -9 of the server nodes come back by themselves, and serve nothing that is past its time", async () => {
    const [writer, reader] = [connect("killed"), connect("killed")];
    await writer.register("p:*", { maxStalenessMs: 300 });
    await writer.register("s:*", { mode: "strong" });
    await writer.set("p:1", "before");
    await writer.set("s:1", "before");
    expect([await reader.get("p:1"), await reader.get("s:1")]).toEqual(["before", "before"]);
    const port = new URL(served.url).port;
    await served.kill();
    await sleep(400);
    expect(await failure(reader.get("p:1"))).toMatchObject({ outcome: "fail", retryable: true });
    expect(await failure(reader.get("s:1"))).toMatchObject({ outcome: "fail", retryable: true });
    expect(await failure(writer.set("p:1", "lost"))).toMatchObject({ retryable: true });
    served = await startServe(folder.path, ["--isolates", "2", "--port", port]);
    const begunAt = performance.now();
    expect(
      await eventually(async () => {
        try {
          await writer.set("s:1", "after");
          return true;
        } catch {
          return false;
        }
      }, 40_000),
    ).toBe(true);
    console.log(`writing again ${(performance.now() - begunAt).toFixed(0)} ms after the server was back`);
    expect(await eventually(async () => (await readOr(reader, "s:1")) === "after", 40_000)).toBe(true);
    await writer.set("p:1", "after");
    expect(await eventually(async () => (await readOr(reader, "p:1")) === "after", 5_000)).toBe(true);
  });

  test("a space that is deleted and made anew with fewer shards is met anew", async () => {
    const admin = http("again");
    await admin.create({ shards: 4 });
    const node = connect("again");
    const keys = Array.from({ length: 8 }, (_, i) => `k${i}`);
    for (const key of keys) await node.set(key, "old");
    expect(new Set(keys.map((key) => shardOf(key, 4))).size).toBeGreaterThan(1);
    expect((await fetch(`${served.url}/v1/again`, { method: "DELETE" })).status).toBeLessThan(300);
    await admin.create({ shards: 1 });
    // Copies may be served for as long as their policy says; what comes from the shards is of the new space.
    const isNew = async (key: string): Promise<boolean> => (await readOr(node, key)) === undefined;
    expect(await eventually(async () => (await Promise.all(keys.map(isNew))).every(Boolean), 8_000)).toBe(
      true,
    );
    for (const key of keys) await node.set(key, "new");
    for (const key of keys) expect(await node.get(key)).toBe("new");
  });
});

describe("nodes and tokens", () => {
  const secret = "secret_of_the_nodes:(tests)/~%41";
  let closed: Served;
  let closedFolder: Awaited<ReturnType<typeof temporaryFolder>>;

  beforeAll(async () => {
    closedFolder = await temporaryFolder();
    closed = await startServe(closedFolder.path, [], { WARP_SECRET: secret });
  });

  afterAll(async () => {
    await closed?.stop();
    await closedFolder?.[Symbol.asyncDispose]();
  });

  function enter(options: Parameters<typeof connectWarp>[1]): Warp {
    const node = connectWarp(closed.url, { space: "closed", onError: () => {}, ...options });
    nodes.push(node);
    return node;
  }

  async function mint(verbs: readonly string[]): Promise<string> {
    const answer = await fetch(`${closed.url}/tokens`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      body: JSON.stringify({ subject: "node-of-tests", spaces: ["closed"], verbs }),
    });
    const { token } = (await answer.json()) as { token: string };
    return token;
  }

  test("SE1 a missing, a wrong or a too weak token is told to every caller by its own code", async () => {
    const wrong = enter({ token: "not-the-secret-at-all" });
    expect(await failure(wrong.get("a"))).toMatchObject({ code: "token_invalid", outcome: "fail" });
    expect(await failure(wrong.set("a", 1))).toMatchObject({ code: "token_invalid", outcome: "fail" });
    expect(await failure(enter({}).get("a"))).toMatchObject({ code: "token_missing", outcome: "fail" });
    const reader = enter({ token: await mint(["read"]) });
    expect(await failure(reader.get("a"))).toMatchObject({ code: "forbidden", outcome: "fail" });
  });

  test("the secret is enough, whatever signs are in it", async () => {
    const node = enter({ token: secret });
    await node.set("a", 1);
    expect(await node.get("a")).toBe(1);
  });

  test("LK12 who has the secret, or calls an open deployment, ends others' locks; it is kept who did", async () => {
    const held = await enter({ token: secret }).tryLock("held");
    expect(await enter({ token: secret }).locks.force("held")).toBe(1);
    const admin = enter({ token: () => secret, subject: "admin" });
    expect((await admin.locks.info("held")).forced).toMatchObject({ by: "admin", fence: held?.fence });
    expect(await admin.locks.force("held")).toBe(0);
    const open = connect("forced");
    await open.tryLock("held");
    expect(await connect("forced").locks.force("held")).toBe(1);
    expect((await open.locks.info("held")).forced).toMatchObject({ by: "open" });
  });

  test("a signed token is enough, also from a function; op ids are of its subject", async () => {
    const token = await mint(["read", "write", "delete"]);
    const node = enter({ token });
    await node.set("b", 1);
    expect(await node.get("b")).toBe(1);
    const other = enter({ token: () => Promise.resolve(token), subject: "somebody-else" });
    expect(await failure(other.set("b", 2))).toMatchObject({ code: "forbidden", outcome: "fail" });
    expect(await other.get("b")).toBe(1);
  });
});

async function readText(node: Warp, key: string): Promise<string | undefined> {
  return (await node.getEntry(key, { codec: textCodec }))?.value;
}

async function readOr(node: Warp, key: string): Promise<unknown> {
  return await node.get(key).catch(() => undefined);
}
