import { describe, expect, it } from "vitest";
import { host } from "#host";
import { shardOf } from "../../../src/protocol/key.ts";
import { fraction } from "../../../src/runtime/random.ts";
import { withClients } from "../../support/client-bed.ts";

/** Beds of several databases: workerd lets a turn touch one object's storage alone. */
const severalIt = it.runIf(host.name === "node");

describe("what the host says", () => {
  it("WA12 offline: sockets are given up, and nothing is tried until it is online again, then soon", async () => {
    await withClients(async (bed) => {
      const { client, wire, signals } = bed.client();
      const told: string[] = [];
      client.onStatus((status) => told.push(status));
      const watch = client.watch({ prefix: "" });
      await bed.until(watch.ready);
      expect(watch.status).toBe("live");
      signals.give("offline");
      expect([client.status, watch.status]).toEqual(["offline", "offline"]);
      await bed.clock.advance(10_000);
      expect(wire.lines).toBe(0);
      await bed.clock.advance(600_000);
      expect(wire.attempts).toBe(1);
      signals.give("online");
      expect(client.status).toBe("connecting");
      await bed.clock.advance(105);
      expect([client.status, watch.status]).toEqual(["online", "live"]);
      expect(told).toEqual(["online", "offline", "connecting", "online"]);
    });
  });

  it("WA12 clients that come back together spread their attempts", async () => {
    await withClients(async (bed) => {
      const clients = Array.from({ length: 20 }, () => bed.client());
      await bed.clock.advance(100);
      for (const { signals } of clients) signals.give("offline");
      for (const { signals } of clients) signals.give("online");
      const times = new Set<number>();
      for (let ms = 0; ms < 110; ms++) {
        const before = clients.map(({ wire }) => wire.attempts);
        await bed.clock.advance(1);
        if (clients.some(({ wire }, at) => wire.attempts !== before[at])) times.add(ms);
      }
      expect(clients.every(({ client }) => client.status === "online")).toBe(true);
      expect(times.size).toBeGreaterThan(10);
    });
  });

  it("WA12 a page that is shown again asks for a sign of life, and gives a dead socket up soon", async () => {
    await withClients(async (bed) => {
      const { client, wire, signals } = bed.client();
      await bed.until(client.watch({ prefix: "" }).ready);
      signals.give("hidden");
      wire.silence();
      await bed.clock.advance(1_000);
      signals.give("visible");
      await bed.clock.advance(3_900);
      expect(wire.attempts).toBe(1);
      await bed.clock.advance(300);
      expect(wire.attempts).toBe(2);
      expect(client.status).toBe("online");
    });
  });

  it("a socket that fell silent is given up after two beats without an answer", async () => {
    await withClients(async (bed) => {
      const { client, wire } = bed.client();
      await bed.until(client.watch({ prefix: "" }).ready);
      wire.silence();
      await bed.clock.advance(46_000);
      expect(wire.attempts).toBe(2);
      expect(client.status).toBe("online");
    });
  });

  it("while nobody looks, a broken connection has time: up to 30 s", async () => {
    await withClients(async (bed) => {
      const clients = Array.from({ length: 12 }, () => bed.client());
      for (const { client } of clients) await bed.until(client.watch({ prefix: "" }).ready);
      for (const { signals, wire } of clients) {
        signals.give("hidden");
        wire.cut(4_200);
      }
      await bed.clock.advance(3_000);
      const soon = clients.filter(({ wire }) => wire.attempts === 2).length;
      expect(soon).toBeLessThan(6);
      await bed.clock.advance(27_010);
      expect(clients.every(({ client }) => client.status === "online")).toBe(true);
      const one = clients[0];
      one?.wire.cut(4_200);
      one?.signals.give("visible");
      await bed.clock.advance(110);
      expect(one?.client.status).toBe("online");
    });
  });

  it("a page that is put aside closes its sockets, and takes them up when it is shown again", async () => {
    await withClients(async (bed) => {
      const { client, wire, signals } = bed.client();
      const items: string[] = [];
      const watch = client.watch({ prefix: "" }, { onEvent: ({ kind }) => void items.push(kind) });
      await bed.until(watch.ready);
      signals.give("frozen");
      await bed.clock.advance(2);
      expect([wire.lines, client.status]).toEqual([0, "offline"]);
      await bed.first.bed.set("k", "1");
      signals.give("resumed");
      await bed.clock.advance(110);
      expect([client.status, watch.status]).toEqual(["online", "live"]);
      expect(items).toEqual(["missed", "set"]);
    });
  });

  it("attempts that fail are repeated with full jitter, and the status says so", async () => {
    await withClients(async (bed) => {
      const { client, wire } = bed.client();
      wire.refusesWith = { code: 1006, reason: "" };
      const watch = client.watch({ prefix: "" });
      await bed.clock.advance(20_000);
      expect(client.status).toBe("offline");
      const { attempts } = wire;
      expect(attempts).toBeGreaterThan(4);
      expect(attempts).toBeLessThan(40);
      wire.refusesWith = undefined;
      await bed.until(watch.ready);
      expect(client.status).toBe("online");
      expect(fraction({ bytes: () => Uint8Array.of(255, 255, 255, 255) })).toBeLessThan(1);
    });
  });

  it("a connection that nobody uses is closed after a while, and opened again when it is needed", async () => {
    await withClients(async (bed) => {
      const { client, wire } = bed.client();
      await bed.until(client.set("k", 1));
      await bed.clock.advance(120_000);
      expect(wire.lines).toBe(0);
      expect(client.status).toBe("online");
      expect((await bed.until(client.get("k")))?.value).toBe(1);
      expect(wire.attempts).toBe(2);
    });
  });

  it("the shard's wish to be left is followed without loss", async () => {
    await withClients(async (bed) => {
      const { client, wire } = bed.client();
      const items: string[] = [];
      const watch = client.watch(
        { prefix: "k" },
        { ops: ["set"], onEvent: (item) => void items.push("key" in item ? item.key : item.kind) },
      );
      await bed.until(watch.ready);
      for (const frame of bed.sayAll({ t: "go", withinMs: 1_000 })) frame();
      for (let n = 0; n < 30; n++) {
        await bed.first.bed.set(`k${n}`, "v");
        await bed.clock.advance(50);
      }
      expect(items).toEqual(Array.from({ length: 30 }, (_, n) => `k${n}`));
      expect(wire.attempts).toBe(2);
      await bed.clock.advance(5_000);
      expect(wire.lines).toBe(1);
    });
  });

  severalIt(
    "a shard that could not be reached, and that nobody asks any more, keeps no client offline",
    async () => {
      await withClients(
        async (bed) => {
          const keys = Array.from({ length: 20 }, (_, n) => `k${n}`);
          const near = keys.find((key) => shardOf(key, 2) === 0) ?? "";
          const far = keys.find((key) => shardOf(key, 2) === 1) ?? "";
          let isDown = false;
          const wire = bed.wire();
          const { client } = bed.client(
            {},
            {
              sockets: {
                open(url, protocols, events) {
                  wire.refusesWith =
                    isDown && url.includes("shard=1") ? { code: 1006, reason: "" } : undefined;
                  return wire.open(url, protocols, events);
                },
              },
            },
          );
          await bed.until(client.watch({ key: near }).ready);
          isDown = true;
          await bed.until(client.get(far).catch(() => undefined));
          expect(client.status).toBe("offline");
          await bed.clock.advance(120_000);
          expect(client.status).toBe("online");
          expect(await bed.until(client.set(near, 1))).toHaveProperty("version");
        },
        { shards: 2 },
      );
    },
  );

  it("a socket that can't even be made is an attempt that came to nothing, at once", async () => {
    await withClients(async (bed) => {
      const wire = bed.wire();
      let attempts = 0;
      const { client } = bed.client(
        {},
        {
          sockets: {
            open(...socket) {
              if (attempts++ < 3) throw new Error("the page's policy forbids it");
              return wire.open(...socket);
            },
          },
        },
      );
      const startedAt = bed.clock.now();
      const { version } = (await bed.until(
        client.watch({ key: "k" }).ready.then(() => client.set("k", 1)),
      )) as {
        version: number;
      };
      expect(version).toBeGreaterThan(0);
      expect(bed.clock.now() - startedAt).toBeLessThan(5_000);
    });
  });
});
