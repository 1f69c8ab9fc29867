import type { BackingEntry } from "../../backing/backing.ts";
import type { ErrorData } from "../../errors.ts";
import type { KeyState } from "../key-table.ts";
import type { Ledger } from "../ledger.ts";
import { nothing, type Operation, type Touch } from "../strong/operation.ts";
import type { Flight } from "./flights.ts";
import type { Judgement } from "./judgement.ts";
import { sourceOf } from "./source.ts";

/** A key that was read from the storage, and what it had there. */
export interface Landed {
  readonly key: string;
  readonly flight: Flight;
  readonly found: BackingEntry | null;
  /** The storage has all that it has confirmed. */
  readonly isIntact: boolean;
}

/** What became of the keys of an {@link Adoption}. */
export interface Adopted {
  readonly touched: readonly string[];
  /** Values that the storage has lost. */
  readonly lost: readonly string[];
}

/** Makes what others wrote into the storage, or what it lost, the shard's own: a change of keys like any other (rule ST2), though nobody asked for it. */
export class Adoption implements Operation<Adopted> {
  readonly opId: string;
  readonly withoutQuorum = true;
  readonly #landed: readonly Landed[];
  readonly #isWhole: (ledger: Ledger) => boolean;
  readonly #judge: (ledger: Ledger, landed: Landed, nowMs: number) => Judgement;

  /** `judge` and `isWhole` (see `Confirmations`) are asked in the stretch that carries it out. */
  constructor(
    id: string,
    landed: readonly Landed[],
    isWhole: (ledger: Ledger) => boolean,
    judge: (ledger: Ledger, landed: Landed, nowMs: number) => Judgement,
  ) {
    this.opId = id;
    this.#landed = landed;
    this.#isWhole = isWhole;
    this.#judge = judge;
  }

  get claims(): readonly string[] {
    return this.reach.keys;
  }

  get reach(): Touch {
    return { ...nothing, keys: this.#landed.map(({ key }) => key) };
  }

  print(): string {
    return "";
  }

  apply(ledger: Ledger, nowMs: number): Adopted {
    const touched: string[] = [];
    const lost: string[] = [];
    for (const landed of this.#landed) {
      const { key, flight } = landed;
      if (flight.isVoid) continue;
      const judgement = this.#judge(ledger, landed, nowMs);
      const isChanged = carryOut(ledger, landed, judgement, nowMs, this.#isWhole(ledger));
      // Its own change, perhaps in a trial that is undone, makes nothing void that it knows.
      flight.isVoid = false;
      if (!isChanged) continue;
      touched.push(key);
      if ("lost" in judgement && judgement.lost) lost.push(key);
    }
    return { touched, lost };
  }

  touched({ touched }: Adopted): Touch {
    return { ...nothing, keys: touched };
  }

  refused(_error: ErrorData): Adopted {
    return { touched: [], lost: [] };
  }
}

/** Gives whether a key has changed. */
function carryOut(
  ledger: Ledger,
  { key, found }: Landed,
  judgement: Judgement,
  atMs: number,
  isWhole: boolean,
): boolean {
  const { changes, keys } = ledger;
  const before = keys.state(key, atMs);
  switch (judgement.is) {
    case "adopt": {
      if (found === null) return false;
      const { payload, tags, expiresAtMs } = found;
      const value = { payload, tags, expiresAtMs };
      // What goes there once more may be on its way with an older value of this key: then it is told this one, too.
      if (isWhole) changes.adopt(key, value, before, sourceOf(found), { atMs });
      else changes.carryOut({ act: "put", key, value, before }, { atMs });
      return true;
    }
    case "remove":
    case "forget":
      changes.carryOut({ act: "delete", key, before }, { atMs });
      return true;
    case "expire":
      if (before !== undefined) changes.expire(key, before, atMs);
      return before !== undefined;
    case "tell":
      return before !== undefined && tellAgain(ledger, key, before, atMs);
    default:
      return false;
  }
}

/** Writes what is here once more, so that the storage hears of it. */
function tellAgain({ changes, keys }: Ledger, key: string, before: KeyState, atMs: number): boolean {
  const present = keys.get(key, atMs);
  if (present === undefined) return false;
  const { payload, tags } = present;
  const value = { payload, tags, expiresAtMs: before.expiresAtMs };
  changes.carryOut({ act: "put", key, value, before }, { atMs });
  return true;
}
