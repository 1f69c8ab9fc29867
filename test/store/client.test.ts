import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { WarpClient } from "../../src/client/live/types.ts";
import { memoryPersistence } from "../../src/store/memory-persistence.ts";
import { openStore } from "../../src/store/store.ts";
import type { StoreClient } from "../../src/store/store-client.ts";
import type { StoreOptions, WarpStore } from "../../src/store/types.ts";
import { type ClientBed, withClients } from "../support/client-bed.ts";
import { seeded } from "../support/seeded.ts";
import { shown } from "./bed.ts";

/** The network does not carry. */
const down = { code: 1006, reason: "" };

/** What a store asks for is what a client has. */
const asked: (client: WarpClient) => StoreClient = (client) => client;

/** A page with a client and a store of its own. */
function page(bed: ClientBed, options: Partial<StoreOptions<string>> = {}) {
  const { client, wire, signals, host: clientHost } = bed.client();
  const errors: string[] = [];
  const store = openStore<string>(
    {
      ...{ client: asked(client), prefix: "card:" },
      onError: (error, key = "") => errors.push(`${error.code} ${key}`.trim()),
      ...options,
    },
    clientHost,
  );
  return { client, wire, signals, store, errors };
}

/** The state as a client reads it. */
async function state(
  bed: ClientBed,
  client: WarpClient,
  keys: readonly string[],
): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for (const key of [...keys].sort()) {
    const entry = await bed.until(client.get<string>(key));
    if (entry !== undefined) found.push([key, entry.value]);
  }
  return found;
}

const values = (store: WarpStore<string>): [string, string][] =>
  [...store.snapshot()].map(([key, { value }]) => [key, value]);

/** Beds of several databases: workerd lets a turn touch one object's storage alone. */
const shardsHere = host.name === "node" ? 3 : 1;

describe("a store over a client of real shards", () => {
  it("WA4 shows the state, edits of others and its own, with the versions of the shard", async () => {
    await withClients(
      async (bed) => {
        await bed.write("card:a", "1");
        await bed.write("else", "1");
        const one = page(bed);
        const two = page(bed);
        await bed.until(Promise.all([one.store.init(), two.store.init()]));
        await bed.until(Promise.all([one.store.ready, two.store.ready]));
        expect(shown(one.store)).toEqual(["card:a 1@1"]);
        const written = bed.until(one.store.set("card:b", "mine"));
        expect(one.store.get("card:b")).toEqual({ value: "mine", version: 0, stale: false, pending: true });
        await written;
        await bed.clock.advance(100);
        expect(values(two.store)).toEqual([
          ["card:a", "1"],
          ["card:b", "mine"],
        ]);
        expect(two.store.get("card:b")).toEqual(one.store.get("card:b"));
        await bed.until(two.store.delete("card:a"));
        await bed.clock.advance(100);
        expect([...one.store.snapshot().keys()]).toEqual(["card:b"]);
        expect(one.errors).toEqual([]);
      },
      { shards: shardsHere },
    );
  });

  it("a conflict is taken back and shows the true value", async () => {
    await withClients(async (bed) => {
      const { store } = page(bed);
      await bed.until(store.init());
      await bed.until(store.ready);
      await bed.until(store.set("card:a", "first"));
      const { version = 0 } = store.get("card:a") ?? {};
      await bed.write("card:a", "theirs");
      const refused = store.set("card:a", "mine", { ifVersion: version });
      await expect(bed.until(refused)).rejects.toMatchObject({ code: "precondition_failed" });
      expect(store.get("card:a")).toMatchObject({ value: "theirs", pending: false });
    });
  });

  it("values that the log leaves out are read", async () => {
    await withClients(async (bed) => {
      const { store } = page(bed);
      await bed.until(store.init());
      await bed.until(store.ready);
      await bed.write("card:a", "x".repeat(20_000));
      await bed.clock.advance(1_000);
      expect(store.get("card:a")).toMatchObject({ value: "x".repeat(20_000), stale: false });
    });
  });

  it("WA12 offline it shows what it knows as stale, queues edits, and comes back with both", async () => {
    await withClients(async (bed) => {
      await bed.write("card:a", "1");
      const { store, wire, signals } = page(bed);
      await bed.until(store.init());
      await bed.until(store.ready);
      wire.refusesWith = down;
      wire.cut();
      signals.give("offline");
      await bed.clock.advance(100);
      expect(store.status).toBe("stale");
      expect(shown(store)).toEqual(["card:a 1@1~"]);
      const written = await bed.until(store.set("card:b", "later"));
      expect("queued" in written).toBe(true);
      await bed.write("card:a", "2");
      expect(shown(store)).toEqual(["card:a 1@1~", "card:b later@0~*"]);
      wire.refusesWith = undefined;
      signals.give("online");
      await bed.clock.advance(5_000);
      expect(shown(store)).toEqual(["card:a 2@2", "card:b later@3"]);
    });
  });

  it("a reload shows what was kept, and resumes behind it", async () => {
    await withClients(async (bed) => {
      const persistence = memoryPersistence();
      await bed.write("card:a", "1");
      const first = page(bed, { persistence });
      await bed.until(first.store.init({ session: "ada" }));
      await bed.until(first.store.ready);
      await bed.until(first.store.close());
      await bed.until(first.client.close());
      await bed.write("card:b", "2");
      const next = page(bed, { persistence });
      expect(await bed.until(next.store.restoreSession())).toBe("ada");
      expect(shown(next.store)).toEqual(["card:a 1@1~"]);
      await bed.until(next.store.ready);
      await bed.clock.advance(100);
      expect(shown(next.store)).toEqual(["card:a 1@1", "card:b 2@2"]);
    });
  });
});

it("WA2 whatever happens on the way, stores end with the state of the shards", async () => {
  for (let seed = 1; seed <= 25; seed++) {
    await withClients(
      async (bed) => {
        const random = seeded(seed);
        const persistence = memoryPersistence();
        const keys = Array.from({ length: 6 }, (_, n) => `card:${n}`);
        const pages = [page(bed, { persistence }), page(bed)];
        for (const { store } of pages) await bed.until(store.init({ session: "ada" }));
        const newest = new Map<string, number>();
        for (let step = 0; step < 40; step++) {
          const { store, wire, signals } = random.pick(pages);
          const key = random.pick(keys);
          const kind = random.below(8);
          if (kind < 2) await bed.write(key, random.below(3) === 0 ? undefined : `${step}`);
          else if (kind < 4) {
            const writing = random.below(3) === 0 ? store.delete(key) : store.set(key, `own ${step}`);
            writing.catch(() => {});
          } else if (kind === 4) {
            const isUp = wire.refusesWith === undefined;
            wire.refusesWith = isUp ? down : undefined;
            if (isUp) wire.cut();
            signals.give(isUp ? "offline" : "online");
          } else if (kind === 5) wire.cut();
          else await bed.clock.advance(random.pick([5, 50, 300, 20_000]));
          for (const [name, { version, pending }] of pages[0]?.store.snapshot() ?? []) {
            if (pending) continue;
            expect(version, `seed ${seed}: ${name} went back`).toBeGreaterThanOrEqual(newest.get(name) ?? 0);
            newest.set(name, version);
          }
        }
        for (const { wire, signals } of pages) {
          wire.refusesWith = undefined;
          signals.give("online");
        }
        await bed.clock.advance(120_000);
        const { client } = bed.client();
        const expected = await state(bed, client, keys);
        for (const { store } of pages) {
          expect(values(store), `seed ${seed}`).toEqual(expected);
          expect([...store.snapshot().values()].some(({ stale, pending }) => stale || pending)).toBe(false);
        }
      },
      { shards: shardsHere },
    );
  }
});
