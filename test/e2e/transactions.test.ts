import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SpaceHttp } from "../support/http-client.ts";
import { type Served, startServe, temporaryFolder } from "../support/serve.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let served: Served;
let isolates: readonly SpaceHttp[];

beforeAll(async () => {
  folder = await temporaryFolder();
  served = await startServe(folder.path, ["--isolates", "4"]);
  await connect();
  await isolates[0]?.create({ shards: 4 });
});

afterAll(async () => {
  await served.stop();
  await folder[Symbol.asyncDispose]();
});

async function connect(): Promise<void> {
  isolates = served.urls.map((url) => new SpaceHttp(url, "txn"));
}

interface Answer {
  readonly status: number;
  readonly succeeded?: boolean;
  readonly version?: number;
  readonly replayed?: boolean;
  readonly code?: string;
  readonly state?: string;
}

/** A call of one isolate. */
async function call(at: number, method: string, path: string, body: unknown, opId?: string): Promise<Answer> {
  const answer = await fetch(`${served.urls[at % 4]}/v1/txn/${path}`, {
    method,
    headers: { "Content-Type": "application/json", ...(opId === undefined ? {} : { "Warp-Op-Id": opId }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { ...((await answer.json()) as object), status: answer.status };
}

/** A UUIDv7 of now. */
function newOpId(): string {
  const time = Date.now().toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

const text = async (at: number, key: string): Promise<string> => (await isolates[at]?.get(key))?.text ?? "";

describe("transactions and merges over four isolates and four shards", () => {
  test("TX7 X-05 of 8 transactions with one expectation exactly one is done, 50 rounds", async () => {
    await isolates[0]?.put("seat", "0");
    for (let round = 0; round < 50; round++) {
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          call(i, "POST", "txn", {
            compare: [{ key: "seat", text: String(round) }],
            success: [{ op: "set", key: "seat", text: String(round + 1) }],
          }),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
      expect(answers.filter(({ succeeded }) => succeeded === true)).toHaveLength(1);
    }
  });

  test("TX1 CO4 an amount moves between two keys: the sum stays, and the mover sees what it moved", async () => {
    await call(0, "POST", "txn", {
      success: [
        { op: "set", key: "{bank}a", json: 1_000 },
        { op: "set", key: "{bank}b", json: 0 },
      ],
    });
    const move = async (at: number): Promise<void> => {
      for (let done = 0; done < 20; ) {
        const [a, b] = [Number(await text(at, "{bank}a")), Number(await text(at, "{bank}b"))];
        const answer = await call(at, "POST", "txn", {
          compare: [
            { key: "{bank}a", json: a },
            { key: "{bank}b", json: b },
          ],
          success: [
            { op: "set", key: "{bank}a", json: a - 1 },
            { op: "set", key: "{bank}b", json: b + 1 },
          ],
        });
        expect(answer.status, JSON.stringify(answer)).toBe(200);
        if (answer.succeeded !== true) continue;
        done++;
        expect(Number(await text(at, "{bank}a"))).toBeLessThanOrEqual(a - 1);
        expect(Number(await text(at, "{bank}b"))).toBeGreaterThanOrEqual(b + 1);
      }
    };
    await Promise.all([0, 1, 2, 3].map(move));
    const { results } = (await call(1, "POST", "txn", {
      success: [
        { op: "get", key: "{bank}a" },
        { op: "get", key: "{bank}b" },
      ],
    })) as Answer & { readonly results: readonly { readonly json: number }[] };
    expect(results.map(({ json }) => json)).toEqual([920, 80]);
  }, 60_000);

  test("TX4 keys of several shards are refused, definitely, by every isolate", async () => {
    const success = Array.from({ length: 8 }, (_, i) => ({ op: "set", key: `apart:${i}`, text: "x" }));
    for (let at = 0; at < 4; at++) {
      expect(await call(at, "POST", "txn", { success })).toMatchObject({
        status: 422,
        code: "cross_shard",
        outcome: "fail",
      });
    }
    expect((await call(0, "GET", "keys/apart:0", undefined)).code).toBe("not_found");
  });

  test("OU2 OU3 ME1 operands and verdicts survive kill -9: nothing counts twice, sealed stays sealed", async () => {
    await call(0, "PUT", "registrations/count", { merge: "sum" });
    const opIds = Array.from({ length: 100 }, newOpId);
    await Promise.all(opIds.map((opId, i) => call(i, "POST", "keys/count", 1, opId)));
    const sealed = newOpId();
    expect(await call(2, "POST", `operations/${sealed}/seal`, { key: "count" })).toMatchObject({
      state: "sealed",
    });
    await served.kill();
    await served.stop();
    served = await startServe(folder.path, ["--isolates", "4"]);
    await connect();
    const again = await Promise.all(opIds.map((opId, i) => call(i + 1, "POST", "keys/count", 1, opId)));
    expect(again.map(({ replayed }) => replayed)).toEqual(Array(100).fill(true));
    expect(await text(0, "count")).toBe("100");
    expect(await call(3, "GET", `operations/${opIds[0]}?key=count`, undefined)).toMatchObject({
      state: "ok",
    });
    expect(await call(1, "GET", `operations/${sealed}?key=count`, undefined)).toMatchObject({
      state: "sealed",
    });
    expect(await call(1, "POST", "keys/count", 1, sealed)).toMatchObject({ status: 409, code: "op_sealed" });
    for (let at = 0; at < 4; at++) expect(await text(at, "count")).toBe("100");
  }, 60_000);
});
