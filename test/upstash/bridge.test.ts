import { describe, expect, it } from "vitest";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";

interface Answer {
  readonly status: number;
  json(): Promise<unknown>;
  readonly body: AsyncIterable<Uint8Array> | null;
}

declare const fetch: (url: string, init: object) => Promise<Answer>;

/** Asks the surface as any HTTP client would. */
function ask(bed: RedisBed, path: string, body?: unknown, headers: object = {}): Promise<Answer> {
  return fetch(`${bed.url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${bed.token}`, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

async function result(answer: Promise<Answer>): Promise<unknown> {
  return await (await answer).json();
}

/** The suites' own stand-in for the service: what they rely on. */
describe.skipIf(withoutRedis !== undefined)("the REST bridge", () => {
  it("takes commands as a list, in the path, with a body behind it, and with a query", () =>
    RedisBed.with(async (bed) => {
      expect(await result(ask(bed, "", ["SET", "a", "1"]))).toEqual({ result: "OK" });
      expect(await result(ask(bed, "/set/b%2Fc/va%20lue"))).toEqual({ result: "OK" });
      expect(await result(ask(bed, "/get/b%2Fc"))).toEqual({ result: "va lue" });
      expect(await result(ask(bed, "/set/d", "body?"))).toEqual({ result: "OK" });
      expect(await result(ask(bed, "/set/e/1?EX=100"))).toEqual({ result: "OK" });
      expect(await result(ask(bed, "/ttl/e"))).toEqual({ result: 100 });
      expect(await result(ask(bed, "", ["MGET", "a", "d", "none"]))).toEqual({
        result: ["1", "body?", null],
      });
      const encoded = ask(bed, "", ["MGET", "a", "none"], { "Upstash-Encoding": "base64" });
      expect(await result(encoded)).toEqual({ result: ["MQ==", null] });
      const set = ask(bed, "", ["SET", "a", "2"], { "Upstash-Encoding": "base64" });
      expect(await result(set)).toEqual({ result: "OK" });
    }));

  it("carries out pipelines command by command, and transactions as a whole", () =>
    RedisBed.with(async (bed) => {
      const commands = [
        ["SET", "a", "x"],
        ["INCR", "a"],
        ["GET", "a"],
      ];
      const wrong = { error: "ERR value is not an integer or out of range" };
      const told = [{ result: "OK" }, wrong, { result: "x" }];
      expect(await result(ask(bed, "/pipeline", commands))).toEqual(told);
      expect(await result(ask(bed, "/multi-exec", commands))).toEqual(told);
      const broken = await ask(bed, "/multi-exec", [["SET", "a", "y"], ["NOSUCH"]]);
      expect(broken.status).toBe(400);
      expect(await bed.text("GET", "a")).toBe("x");
    }));

  it("refuses wrong tokens, too much, and what needs a connection", () =>
    RedisBed.with(
      async (bed) => {
        const stranger = await ask(bed, "", ["GET", "a"], { authorization: "Bearer x" });
        expect(stranger.status).toBe(401);
        expect(await stranger.json()).toEqual({ error: "WRONGPASS invalid or missing auth token" });
        for (const command of [
          ["WATCH", "a"],
          ["XREAD", "BLOCK", "0", "STREAMS", "s", "0"],
          ["BLPOP", "a", "0"],
        ]) {
          const answer = await ask(bed, "", command);
          expect([answer.status, JSON.stringify(await answer.json())]).toEqual([
            400,
            expect.stringContaining("not available"),
          ]);
        }
        expect(await result(ask(bed, "", ["SET", "a", "v".repeat(2_000)]))).toMatchObject({
          error: expect.stringContaining("max request size exceeded"),
        });
        expect((await ask(bed, "", "no json")).status).toBe(400);
      },
      { maxRequestBytes: 1_000 },
    ));

  it("tells subscribers as events, with the surface's weakness for newlines, and ends silently", () =>
    RedisBed.with(async (bed) => {
      const { body } = await ask(bed, "/subscribe/news");
      const read = body?.[Symbol.asyncIterator]();
      const next = async (): Promise<string | undefined> => {
        const { value } = (await read?.next()) ?? {};
        return value === undefined ? undefined : new TextDecoder().decode(value as Uint8Array);
      };
      expect(await next()).toBe("data: subscribe,news,1\n\n");
      expect(await bed.command("PUBLISH", "news", "one\ntwo")).toBe(1);
      expect(await next()).toBe("data: message,news,one\ntwo\n\n");
      await bed.endStreams();
      expect(await next()).toBeUndefined();
    }));

  it("a fault hits as often as it is told to, and a share of them by the seed", () =>
    RedisBed.with(
      async (bed) => {
        await bed.fault({ kind: "status", status: 502, command: "GET", times: 2 });
        const statuses: number[] = [];
        for (const command of ["SET", "GET", "GET", "GET"]) {
          statuses.push((await ask(bed, "", [command, "a", ...(command === "SET" ? ["1"] : [])])).status);
        }
        expect(statuses).toEqual([200, 502, 502, 200]);
        await bed.fault({ kind: "status", times: 1_000, share: 0.25 });
        let hits = 0;
        for (let i = 0; i < 100; i++) if ((await ask(bed, "", ["GET", "a"])).status === 500) hits++;
        expect(hits).toBeGreaterThan(10);
        expect(hits).toBeLessThan(45);
        await bed.clearFaults();
        expect((await ask(bed, "", ["GET", "a"])).status).toBe(200);
      },
      { seed: 7 },
    ));

  it("a server of one's own keeps what it acknowledged through a kill", () =>
    RedisBed.with(
      async (bed) => {
        for (let i = 0; i < 50; i++) await ask(bed, "", ["RPUSH", "list", `${i}`]);
        await bed.server("kill");
        await expect(ask(bed, "", ["LLEN", "list"])).rejects.toThrow();
        await bed.server("start");
        expect(await bed.command("LLEN", "list")).toBe(50);
        await bed.server("restart");
        expect(await bed.command("LLEN", "list")).toBe(50);
      },
      { own: true },
    ));

  it("servers listen on no port, which others could have taken while one starts or is down", () =>
    RedisBed.with(
      async (bed) => {
        expect(await bed.text("CONFIG", "GET", "port")).toEqual(["port", "0"]);
      },
      { own: true },
    ));

  it("beds don't see each other", () =>
    RedisBed.with((one) =>
      RedisBed.with(async (other) => {
        await one.command("SET", "a", "1");
        expect(await other.text("GET", "a")).toBeNull();
        const stranger = await ask(one, "", ["GET", "a"], { authorization: `Bearer ${other.token}` });
        expect(stranger.status).toBe(401);
      }),
    ));

  it("carries a late command out after its sender has left, and tells what was carried out in Redis's order", () =>
    RedisBed.with(async (bed) => {
      await bed.record();
      await bed.fault({ kind: "late", command: "RPUSH", ms: 200 });
      await bed.fault({ kind: "dropAfter", command: "RPUSH" });
      await expect(ask(bed, "", ["RPUSH", "list", "late"])).rejects.toThrow();
      await expect(ask(bed, "", ["RPUSH", "list", "untold"])).rejects.toThrow();
      expect(await result(ask(bed, "", ["RPUSH", "list", "told"]))).toEqual({ result: 2 });
      while ((await bed.command("LLEN", "list")) !== 3);
      const recorded = (await bed.recorded()).map(({ commands, fate }) => [commands[0]?.[2], fate]);
      expect(recorded).toEqual([
        ["untold", "untold"],
        ["told", "told"],
        ["late", "untold"],
      ]);
      await bed.record();
      expect(await bed.recorded()).toEqual([]);
    }));
});
