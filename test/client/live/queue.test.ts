import { describe, expect, it } from "vitest";
import type { Queued, Settled } from "../../../src/client/live/types.ts";
import { withClients } from "../../support/client-bed.ts";

const thrown = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

describe("the offline queue", () => {
  it("WA12 changes made offline are sent in their order when there is a network again, each told of once", async () => {
    await withClients(async (bed) => {
      const { client, signals } = bed.client();
      await bed.until(client.set("k", 0));
      const settled: Settled[] = [];
      client.queue.settled((one) => settled.push(one));
      const watched: unknown[] = [];
      const { client: other } = bed.client();
      const watch = other.watch(
        { prefix: "" },
        { onEvent: (item) => void watched.push("value" in item ? item.value : item.kind) },
      );
      await bed.until(watch.ready);
      signals.give("offline");
      const queued: Queued[] = [];
      for (let n = 1; n <= 200; n++) queued.push((await client.set("k", n)) as Queued);
      queued.push((await client.delete("k")) as Queued);
      expect(client.queue.size).toBe(201);
      await bed.clock.advance(30_000);
      expect(settled).toEqual([]);
      signals.give("online");
      await bed.clock.advance(1_000);
      expect(client.queue.size).toBe(0);
      expect(settled.map(({ queued: name, outcome }) => [name, outcome])).toEqual(
        queued.map(({ queued: name }) => [name, "ok"]),
      );
      // Each item that the callback takes costs a turn.
      for (let turn = 0; turn < 50; turn++) await bed.clock.settle();
      expect(watched).toEqual([...Array.from({ length: 200 }, (_, n) => n + 1), "delete"]);
      // What is made now goes straight.
      expect(await bed.until(client.set("k", 1))).toMatchObject({ version: expect.any(Number) });
    });
  });

  it("is bounded, and says so", async () => {
    await withClients(async (bed) => {
      const { client, signals } = bed.client({ queue: { maxOperations: 2, maxBytes: 50 } });
      signals.give("offline");
      await client.set("a", 1);
      expect(await thrown(client.set("b", "x".repeat(60)))).toMatchObject({
        code: "overloaded",
        outcome: "fail",
        retryable: true,
        details: { maxOperations: 2, maxBytes: 50 },
      });
      await client.set("b", 1);
      expect(await thrown(client.set("c", 1))).toMatchObject({ code: "overloaded", outcome: "fail" });
      const { client: without, signals: others } = bed.client({ queue: { maxOperations: 0 } });
      others.give("offline");
      expect(await thrown(without.set("c", 1))).toMatchObject({ code: "unavailable", outcome: "fail" });
    });
  });

  it("OU1 each is told as it ends: a condition that does not hold by then is refused, the next goes on", async () => {
    await withClients(async (bed) => {
      const { client, signals } = bed.client({ token: "guest;k" });
      const before = await bed.until(client.set("k", 0));
      const settled: Settled[] = [];
      client.queue.settled((one) => settled.push(one));
      signals.give("offline");
      const { version } = before as { version: number };
      await client.set("k", 1, { ifVersion: version });
      await client.set("k", 2, { ifVersion: version });
      await client.set("k2", 1, { ifAbsent: true });
      await client.set("secret", 1);
      await client.set("k3", 1);
      signals.give("online");
      await bed.clock.advance(2_000);
      expect(settled.map((one) => [one.key, one.outcome, "error" in one ? one.error.code : ""])).toEqual([
        ["k", "ok", ""],
        ["k", "fail", "precondition_failed"],
        ["k2", "ok", ""],
        ["secret", "fail", "forbidden"],
        ["k3", "ok", ""],
      ]);
    });
  });

  it("OU2 a batch whose answer is lost is sent again under its op ids: each has its effect once", async () => {
    await withClients(async (bed) => {
      const { client, wire, signals } = bed.client();
      await bed.until(client.set("k", 0));
      const settled: Settled[] = [];
      client.queue.settled((one) => settled.push(one));
      signals.give("offline");
      for (let n = 0; n < 10; n++) await client.set("k", n);
      signals.give("online");
      for (let ms = 0; ms < 200 && client.queue.size === 10; ms++) {
        await bed.clock.advance(1);
        // Its frame has left, its answer has not come.
        if ((await bed.first.bed.text("k")) === "9") break;
      }
      wire.cut();
      await bed.clock.advance(5_000);
      expect(settled.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 10 }, () => "ok"));
      expect(settled.every((one) => "done" in one && one.done.replayed)).toBe(true);
      const { shard } = bed.first.bed;
      const { logEntries } = (await shard.usage(bed.first.bed.scope())) as { logEntries: number };
      expect(logEntries).toBe(11);
    });
  });

  it("what waited longer than an op id lives is sent under a new one", async () => {
    await withClients(async (bed) => {
      const { client, signals } = bed.client();
      const settled: Settled[] = [];
      client.queue.settled((one) => settled.push(one));
      await bed.until(client.get("k"));
      signals.give("offline");
      const { queued } = (await client.set("k", 1)) as Queued;
      await bed.clock.advance(3_600_000);
      signals.give("online");
      await bed.clock.advance(2_000);
      expect(settled).toMatchObject([{ queued, outcome: "ok" }]);
      expect((settled[0] as { done: { opId: string } }).done.opId).not.toBe(queued);
    });
  });

  it("a write that finds the deployment unreachable is queued, those after it behind it", async () => {
    await withClients(async (bed) => {
      const { client, wire } = bed.client();
      wire.refusesWith = { code: 1006, reason: "" };
      expect(await bed.until(client.set("k", 1))).toHaveProperty("queued");
      expect(await bed.until(client.set("k", 2))).toHaveProperty("queued");
      wire.refusesWith = undefined;
      await bed.clock.advance(35_000);
      expect(client.queue.size).toBe(0);
      expect((await bed.until(client.get("k")))?.value).toBe(2);
    });
  });

  it("WA9 what waits outlives a token that has ended", async () => {
    await withClients(async (bed) => {
      let ends = bed.clock.now() + 60_000;
      const { client, signals } = bed.client({ token: () => `guest;;${ends}` });
      await bed.until(client.set("k", 0));
      signals.give("offline");
      await client.set("k", 1);
      await bed.clock.advance(120_000);
      const settled: Settled[] = [];
      client.queue.settled((one) => settled.push(one));
      signals.give("online");
      // The one that is shown has ended, too: the source is slow to notice.
      await bed.clock.advance(150);
      ends = bed.clock.now() + 60_000;
      await bed.clock.advance(40_000);
      expect(settled).toMatchObject([{ outcome: "ok" }]);
    });
  });

  it("clear and close tell of what they drop", async () => {
    await withClients(async (bed) => {
      const { client, signals } = bed.client();
      await bed.until(client.get("k"));
      signals.give("offline");
      const settled: Settled[] = [];
      client.queue.settled((one) => settled.push(one));
      await client.set("a", 1);
      expect(client.queue.clear()).toBe(1);
      await client.set("b", 1);
      await client.close();
      await bed.clock.advance(5_000);
      expect(settled.map((one) => [one.key, one.outcome, "error" in one ? one.error.code : ""])).toEqual([
        ["a", "fail", "aborted"],
        ["b", "fail", "warp_closed"],
      ]);
      expect(bed.clock.timers).toBe(0);
    });
  });

  it("OU1 what clear has dropped while a connection was being made is not sent by it", async () => {
    await withClients(async (bed) => {
      const { client, signals } = bed.client();
      await bed.until(client.set("k", 0));
      const settled: Settled[] = [];
      client.queue.settled((one) => settled.push(one));
      signals.give("offline");
      await client.set("k", 1);
      await client.set("k", 2);
      signals.give("online");
      void client.queue.flush();
      await bed.clock.settle();
      expect(client.queue.clear()).toBe(2);
      await bed.clock.advance(5_000);
      expect(settled.map(({ outcome }) => outcome)).toEqual(["fail", "fail"]);
      expect(await bed.first.bed.text("k")).toBe("0");
    });
  });

  it("a version is that of the storage's life in which the change was made", async () => {
    await withClients(async (bed) => {
      const { client, signals } = bed.client();
      const { version: ifVersion } = (await bed.until(client.set("k", 0))) as { version: number };
      const settled: Settled[] = [];
      client.queue.settled((one) => settled.push(one));
      signals.give("offline");
      await client.set("k", 1, { ifVersion });
      await bed.first.bed.shard.renew();
      signals.give("online");
      await bed.clock.advance(2_000);
      expect(settled).toMatchObject([{ outcome: "fail", error: { code: "precondition_failed" } }]);
      expect(await bed.first.bed.text("k")).toBe("0");
    });
  });

  it("what was made under one subject is not sent under another", async () => {
    await withClients(async (bed) => {
      let token = "ann";
      const { client, signals } = bed.client({ token: () => token });
      await bed.until(client.set("k", 0));
      const settled: Settled[] = [];
      client.queue.settled((one) => settled.push(one));
      signals.give("offline");
      await client.set("k", 1);
      await client.set("k", 2);
      token = "bob";
      signals.give("online");
      await bed.clock.advance(2_000);
      expect(settled.map((one) => [one.outcome, "error" in one && one.error.code])).toEqual([
        ["fail", "forbidden"],
        ["fail", "forbidden"],
      ]);
      expect(await bed.first.bed.text("k")).toBe("0");
      expect(await bed.until(client.set("k", 3))).toHaveProperty("version");
    });
  });

  it("OU1 what was sent, and may not be sent again, is of unknown fate", async () => {
    await withClients(async (bed) => {
      let token = "ann";
      const { client, wire, signals } = bed.client({ token: () => token });
      await bed.until(client.set("k", 0));
      const settled: Settled[] = [];
      client.queue.settled((one) => settled.push(one));
      signals.give("offline");
      await client.set("k", 1);
      signals.give("online");
      for (let ms = 0; ms < 200 && (await bed.first.bed.text("k")) !== "1"; ms++) await bed.clock.advance(1);
      token = "ann;other";
      wire.cut();
      await bed.clock.advance(5_000);
      expect(await bed.first.bed.text("k")).toBe("1");
      expect(settled).toMatchObject([{ outcome: "unknown", error: { code: "forbidden" } }]);
    });
  });
});
