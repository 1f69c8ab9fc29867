import { describe, expect, it } from "vitest";
import { withClients } from "../../support/client-bed.ts";

const thrown = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

describe("how calls end", () => {
  it("OU1 a cut under a write leaves it unknown, with its op id; a repeat with that has no second effect", async () => {
    await withClients(async (bed) => {
      const { client, wire } = bed.client();
      await bed.until(client.set("n", 1));
      const ending = thrown(client.set("n", 2));
      await bed.clock.advance(1);
      wire.cut();
      const error = (await bed.until(ending)) as { details: { opId: string } };
      expect(error).toMatchObject({ code: "unavailable", outcome: "unknown" });
      const { opId } = error.details;
      const version = (await bed.until(client.get("n")))?.version ?? 0;
      const again = await bed.until(client.set("n", 2, { opId }));
      expect(again).toMatchObject({ opId, version, replayed: true });
    });
  });

  it("a cut under a read is not seen: it is asked again", async () => {
    await withClients(async (bed) => {
      const { client, wire } = bed.client();
      await bed.until(client.set("n", 1));
      const reading = client.get("n");
      await bed.clock.advance(1);
      wire.cut();
      expect((await bed.until(reading))?.value).toBe(1);
      expect(wire.attempts).toBe(2);
    });
  });

  it("a caller who gives up before anything was sent knows that nothing was done", async () => {
    await withClients(async (bed) => {
      const { client, wire } = bed.client();
      wire.refusesWith = { code: 1006, reason: "" };
      const controller = new AbortController();
      const ending = thrown(client.set("n", 1, { signal: controller.signal, offline: "fail" }));
      controller.abort();
      expect(await bed.until(ending)).toMatchObject({ code: "aborted", outcome: "fail" });
      expect(await thrown(client.get("n", { signal: controller.signal }))).toMatchObject({ code: "aborted" });
    });
  });

  it("a caller who gives up when it was sent does not know", async () => {
    await withClients(async (bed) => {
      const { client, wire } = bed.client();
      await bed.until(client.set("n", 1));
      const controller = new AbortController();
      const ending = thrown(client.set("n", 2, { signal: controller.signal }));
      await bed.clock.advance(1);
      controller.abort();
      expect(await bed.until(ending)).toMatchObject({ code: "aborted", outcome: "unknown" });
      wire.silence();
      expect(await bed.until(thrown(client.set("n", 3, { timeoutMs: 500 })))).toMatchObject({
        code: "deadline_exceeded",
        outcome: "unknown",
      });
      await expect(client.get("n", { timeoutMs: 0 })).rejects.toMatchObject({ code: "invalid_argument" });
    });
  });

  it("with offline fail a write is refused at once while nothing can be reached", async () => {
    await withClients(async (bed) => {
      const { client, signals } = bed.client();
      await bed.until(client.set("n", 1));
      signals.give("offline");
      expect(await thrown(client.set("n", 2, { offline: "fail" }))).toMatchObject({
        code: "unavailable",
        outcome: "fail",
      });
      expect(await thrown(client.get("n"))).toMatchObject({ code: "unavailable", outcome: "fail" });
      expect(client.queue.size).toBe(0);
    });
  });

  it("a refused connection is told with its code, and not tried again at once", async () => {
    await withClients(async (bed) => {
      const { client, wire } = bed.client();
      wire.refusesWith = { code: 4003, reason: "forbidden" };
      expect(await bed.until(thrown(client.get("n")))).toMatchObject({ code: "forbidden", outcome: "fail" });
      const { attempts } = wire;
      const watch = client.watch({ key: "n" });
      expect(await bed.until(thrown(watch.ready))).toMatchObject({ code: "forbidden" });
      expect(watch.status).toBe("ended");
      expect(wire.attempts).toBe(attempts);
      wire.refusesWith = undefined;
      await bed.clock.advance(31_000);
      expect(await bed.until(client.get("n"))).toBeUndefined();
    });
  });

  it("a space that was deleted and made anew is met again", async () => {
    await withClients(async (bed) => {
      const { client } = bed.client();
      await bed.until(client.set("n", 1));
      const { shard } = bed.first.bed;
      await shard.deleteSpace("test", "begin");
      await shard.deleteSpace("test", "finish");
      await bed.clock.advance(100);
      expect(await bed.until(thrown(client.get("n")))).toMatchObject({ code: "space_not_found" });
      await bed.until(client.set("n", 2));
      expect((await bed.until(client.get("n")))?.value).toBe(2);
    });
  });

  it("SE2 a token of some prefixes reads, writes and watches them, and nothing else", async () => {
    await withClients(async (bed) => {
      await bed.first.bed.set("secret", "x");
      const { client } = bed.client({ token: "guest;user:" });
      await bed.until(client.set("user:1", 1));
      expect(await bed.until(thrown(client.get("secret")))).toMatchObject({ code: "forbidden" });
      expect(await bed.until(thrown(client.set("secret", 1)))).toMatchObject({
        code: "forbidden",
        outcome: "fail",
      });
      expect(await bed.until(thrown(client.watch({ prefix: "" }).ready))).toMatchObject({
        code: "forbidden",
      });
      const watch = client.watch({ prefix: "user:" });
      await bed.until(watch.ready);
      expect(watch.status).not.toBe("ended");
    });
  });
});
