import { describe, expect, it } from "vitest";
import type { Timers } from "../../../src/runtime/clock.ts";
import { withClients } from "../../support/client-bed.ts";

const thrown = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

describe("tokens", () => {
  it("WA9 a token that will end is renewed on the same socket, again and again", async () => {
    await withClients(async (bed) => {
      const asked: number[] = [];
      const timers = new Set<() => void>();
      const after: Timers["after"] = (delayMs, run) => {
        const cancel = bed.clock.after(delayMs, () => {
          timers.delete(cancel);
          run();
        });
        timers.add(cancel);
        return () => {
          timers.delete(cancel);
          cancel();
        };
      };
      const token = async (): Promise<string> => {
        asked.push(bed.clock.now());
        return `guest;;${bed.clock.now() + 300_000}`;
      };
      const { client, wire } = bed.client({ token }, { timers: { after } });
      const watch = client.watch({ prefix: "" });
      await bed.until(watch.ready);
      await bed.clock.advance(1_000_000);
      expect(wire.attempts).toBe(1);
      // A minute before each one's end.
      const gaps = asked.slice(1).map((at, n) => Math.round((at - (asked[n] ?? 0)) / 1_000));
      expect(gaps).toEqual([240, 240, 240, 240]);
      expect(watch.status).toBe("live");
      expect(timers.size).toBeGreaterThan(0);
      await client.close();
      expect(timers.size).toBe(0);
    });
  });

  it("a clock that is set wrong renews in time all the same, and writes", async () => {
    await withClients(async (bed) => {
      const { clock } = bed;
      const { client, wire } = bed.client(
        { token: () => `guest;;${clock.now() + 120_000}` },
        { clock: { now: () => clock.now() - 86_400_000 } },
      );
      await bed.until(client.watch({ prefix: "" }).ready);
      await clock.advance(600_000);
      expect(wire.attempts).toBe(1);
      expect(await bed.until(client.set("k", 1))).toHaveProperty("version");
    });
  });

  it("a source that fails is asked again; when the rights have ended the watch goes on with the next token", async () => {
    await withClients(async (bed) => {
      let fails = false;
      const { client, wire } = bed.client({
        token: async () => {
          if (fails) throw new Error("no");
          return `guest;;${bed.clock.now() + 60_000}`;
        },
      });
      const items: string[] = [];
      const watch = client.watch(
        { prefix: "" },
        { ops: ["set"], onEvent: (item) => void items.push("key" in item ? item.key : item.kind) },
      );
      await bed.until(watch.ready);
      fails = true;
      await bed.clock.advance(61_000);
      await bed.first.bed.set("k", "1");
      await bed.clock.advance(10_000);
      expect(watch.status).toBe("offline");
      fails = false;
      await bed.clock.advance(40_000);
      expect([client.status, watch.status]).toEqual(["online", "live"]);
      expect(items).toEqual(["k"]);
      expect(wire.attempts).toBeGreaterThan(1);
    });
  });

  it("a text that has ended is refused for good; so is a source of ended ones", async () => {
    await withClients(async (bed) => {
      const { client } = bed.client({ token: `guest;;${bed.clock.now() - 1}` });
      expect(await bed.until(thrown(client.get("k")))).toMatchObject({
        code: "token_expired",
        outcome: "fail",
      });
      const { client: other, wire } = bed.client({ token: () => `guest;;${bed.clock.now() - 1}` });
      const watch = other.watch({ key: "k" });
      expect(await bed.until(thrown(watch.ready))).toMatchObject({ code: "token_expired" });
      expect(wire.attempts).toBe(3);
    });
  });

  it("WA9 a watch that a newer token does not cover ends, others go on", async () => {
    await withClients(async (bed) => {
      let prefixes = "a,b";
      const { client, wire } = bed.client({ token: () => `guest;${prefixes};${bed.clock.now() + 100_000}` });
      const a = client.watch({ prefix: "a" });
      const b = client.watch({ prefix: "b" });
      await bed.until(Promise.all([a.ready, b.ready]));
      prefixes = "a";
      await bed.clock.advance(60_000);
      expect(await bed.until(thrown(b[Symbol.asyncIterator]().next()))).toMatchObject({ code: "forbidden" });
      expect([a.status, b.status, wire.attempts]).toEqual(["live", "ended", 1]);
    });
  });
});
