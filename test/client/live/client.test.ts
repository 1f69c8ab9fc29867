import { describe, expect, it } from "vitest";
import type { WatchedItem } from "../../../src/client/live/types.ts";
import { isWarpError } from "../../../src/errors.ts";
import { msgpackCodec } from "../../../src/protocol/wire/msgpack/msgpack-codec.ts";
import { withClients } from "../../support/client-bed.ts";

describe("a client over one socket", () => {
  it("reads what it wrote: JSON, text and bytes by their types", async () => {
    await withClients(async (bed) => {
      const { client, wire } = bed.client();
      expect(client.status).toBe("connecting");
      const written = await bed.until(client.set("user:1", { name: "ada" }));
      expect(written).toMatchObject({ version: expect.any(Number), existed: false, replayed: false });
      expect(client.status).toBe("online");
      expect(await bed.until(client.get("user:1"))).toMatchObject({
        key: "user:1",
        value: { name: "ada" },
        version: (written as { version: number }).version,
        contentType: "application/json",
      });
      await bed.until(client.set("bytes", Uint8Array.of(0, 255, 10)));
      expect((await bed.until(client.get("bytes")))?.value).toEqual(Uint8Array.of(0, 255, 10));
      await bed.first.bed.set("text", "zeile\nzwei");
      expect((await bed.until(client.get("text")))?.value).toBe("zeile\nzwei");
      expect(await bed.until(client.get("absent"))).toBeUndefined();
      await bed.until(client.delete("user:1"));
      expect(await bed.until(client.get("user:1", { mode: "strong" }))).toBeUndefined();
      expect(wire.attempts).toBe(1);
      await client.close();
      expect(client.status).toBe("closed");
      await expect(client.get("x")).rejects.toMatchObject({ code: "warp_closed" });
    });
  });

  it("WA6 speaks MessagePack where it is given its codec", async () => {
    await withClients(async (bed) => {
      const { client } = bed.client({ frames: msgpackCodec });
      const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
      const next = client.watch({ key: "k" }, { from: "snapshot" })[Symbol.asyncIterator]();
      expect((await bed.until(next.next())).value).toMatchObject({ kind: "snapshot", entries: [] });
      await bed.until(client.set("k", bytes));
      expect((await bed.until(next.next())).value).toMatchObject({ kind: "set", value: bytes });
      expect((await bed.until(client.get("k")))?.value).toEqual(bytes);
    });
  });

  it("OU1 what the shard refuses is thrown with its code and the outcome fail", async () => {
    await withClients(async (bed) => {
      const { client } = bed.client();
      await bed.until(client.set("k", 1));
      const error = await bed.until(
        client.set("k", 2, { ifAbsent: true }).catch((thrown: unknown) => thrown),
      );
      expect(isWarpError(error, "precondition_failed")).toBe(true);
      expect(error).toMatchObject({ outcome: "fail" });
      const entry = await bed.until(client.get("k"));
      await bed.until(client.set("k", 3, { ifVersion: entry?.version ?? 0 }));
      expect((await bed.until(client.get("k")))?.value).toBe(3);
    });
  });

  it("a first write makes the space, a read does not", async () => {
    await withClients(
      async (bed) => {
        const { client } = bed.client();
        const error = await bed.until(client.get("k").catch((thrown: unknown) => thrown));
        expect(error).toMatchObject({ code: "space_not_found", outcome: "fail" });
        await bed.until(client.set("k", 1));
        expect((await bed.until(client.get("k")))?.value).toBe(1);
      },
      { create: false },
    );
  });

  it("WA4 watches a prefix: the state, then each change", async () => {
    await withClients(async (bed) => {
      await bed.first.bed.set("user:1", "a");
      const { client } = bed.client();
      const items: WatchedItem[] = [];
      const watch = client.watch(
        { prefix: "user:" },
        { from: "snapshot", onEvent: (item) => void items.push(item) },
      );
      expect(watch.status).toBe("connecting");
      await bed.until(watch.ready);
      await bed.clock.advance(50);
      expect(watch.status).toBe("live");
      await bed.first.bed.set("user:2", "b");
      await bed.first.bed.delete("user:1");
      await bed.clock.advance(50);
      expect(
        items.map((item) => [item.kind, "key" in item ? item.key : item.kind === "snapshot" && item.entries]),
      ).toEqual([
        ["snapshot", [{ key: "user:1", version: expect.any(Number), value: "a", contentType: "text/plain" }]],
        ["set", "user:2"],
        ["delete", "user:1"],
      ]);
      watch.close();
      expect(watch.status).toBe("ended");
    });
  });

  it("a condition names the life of the storage that the client was told of last", async () => {
    await withClients(
      async (bed) => {
        const { client } = bed.client();
        const first = (await bed.until(client.set("k", 1))) as { version: number };
        const second = await bed.until(client.set("k", 2, { ifVersion: first.version }));
        expect(second).toHaveProperty("version");
        await bed.first.bed.shard.renew();
        const entry = await bed.until(client.get("k"));
        const third = client.set("k", 3, { ifVersion: entry?.version ?? 0 });
        expect(await bed.until(third)).toHaveProperty("version");
      },
      { create: false },
    );
  });
});
