import { afterEach, describe, expect, it, vi } from "vitest";
import { host } from "#host";
import { AbsentMarks } from "../../../src/shard/backing/absent-marks.ts";
import { CallSupply } from "../../../src/shard/backing/call-supply.ts";
import { Confirmations } from "../../../src/shard/backing/confirmations.ts";
import { Doubts } from "../../../src/shard/backing/doubts.ts";
import { Dropper } from "../../../src/shard/backing/dropper.ts";
import { Flights } from "../../../src/shard/backing/flights.ts";
import { KeyPlaces } from "../../../src/shard/backing/key-places.ts";
import { Supplies } from "../../../src/shard/backing/supplies.ts";
import { SupplyWorld } from "./supply-world.ts";

/** Worlds in which a bug must be seen. */
const worlds = 60;

/** One part behaves otherwise. */
type Plant = () => void;

/** `from`: a world soon before one that has seen it, where it is seldom seen. */
const bugs: readonly { readonly what: string; readonly from?: number; readonly plant: Plant }[] = [
  {
    what: "a commit does not make void what is being read",
    plant: () => void vi.spyOn(Flights.prototype, "changed").mockImplementation(() => {}),
  },
  {
    what: "an invalidation does not make void what is being read",
    plant: () => void vi.spyOn(Flights.prototype, "changedAll").mockImplementation(() => {}),
  },
  {
    what: "a deletion that waits for the storage is forgotten",
    plant: () => void vi.spyOn(KeyPlaces.prototype, "isEnding").mockReturnValue(false),
  },
  {
    what: "absence is known for ever",
    plant: () => {
      const { add } = AbsentMarks.prototype;
      vi.spyOn(AbsentMarks.prototype, "add").mockImplementation(function (this: AbsentMarks, key) {
        add.call(this, key, Number.MAX_SAFE_INTEGER);
      });
    },
  },
  {
    what: "an invalidation does not end what is known of absence",
    plant: () => void vi.spyOn(AbsentMarks.prototype, "forget").mockImplementation(() => {}),
  },
  {
    what: "an invalidated key is not looked at again",
    from: 25,
    plant: () => void vi.spyOn(KeyPlaces.prototype, "doubt").mockImplementation(() => {}),
  },
  {
    what: "invalidated prefixes and tags are not looked at again",
    plant: () => void vi.spyOn(Doubts.prototype, "add").mockImplementation(() => {}),
  },
  {
    what: "everything counts as confirmed",
    plant: () => void vi.spyOn(Confirmations.prototype, "all").mockReturnValue(() => true),
  },
  {
    what: "a storage that can't be read has nothing",
    plant: () => {
      const { bring, lacks } = Supplies.prototype;
      const unread = new Set<string>();
      vi.spyOn(Supplies.prototype, "bring").mockImplementation(async function (this: Supplies, keys) {
        await bring.call(this, keys).catch(() => {
          for (const key of keys) unread.add(key);
        });
      });
      vi.spyOn(Supplies.prototype, "lacks").mockImplementation(function (
        this: Supplies,
        ledger,
        need,
        nowMs,
      ) {
        const isHere = ledger.keys.state(need.key, nowMs) !== undefined;
        return (isHere || !unread.has(need.key)) && lacks.call(this, ledger, need, nowMs);
      });
    },
  },
  {
    what: "a deletion of what the shard does not hold is not told to the storage",
    plant: () => void vi.spyOn(Supplies.prototype, "mayBeStored").mockReturnValue(false),
  },
  {
    what: "a read answers though it lacks something",
    plant: () => void vi.spyOn(CallSupply.prototype, "has").mockReturnValue(true),
  },
  {
    what: "a write is judged though it lacks something",
    plant: () => void vi.spyOn(CallSupply.prototype, "hasFor").mockReturnValue(true),
  },
  {
    what: "what comes back is filled into whatever version is there",
    plant: () => {
      const { fill } = KeyPlaces.prototype;
      vi.spyOn(KeyPlaces.prototype, "fill").mockImplementation(function (
        this: KeyPlaces,
        key,
        bytes,
        revision,
      ) {
        fill.call(this, key, last.get(key) ?? bytes, revision);
        last.set(key, bytes);
      });
      const last = new Map<string, Uint8Array>();
    },
  },
  {
    what: "nothing is ever let go of",
    plant: () => void vi.spyOn(Dropper.prototype, "wake").mockImplementation(() => {}),
  },
];

describe("bugs that are planted", () => {
  afterEach(() => vi.restoreAllMocks());

  it.each(bugs)(
    "are found: $what",
    async ({ what, from = 1, plant }) => {
      plant();
      for (let seed = from; seed < from + worlds; seed++) {
        const found = await host.withSql(
          async (sql) =>
            await new SupplyWorld(sql, seed).run().then(
              () => undefined,
              (error: unknown) => String(error),
            ),
        );
        if (found === undefined) continue;
        console.log(`${what}: ${found}`);
        return;
      }
      expect.fail(`${worlds} worlds have not seen it`);
    },
    120_000,
  );
});
