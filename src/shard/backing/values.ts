import type { BackingPage } from "../../backing/backing.ts";
import { WarpError } from "../../errors.ts";
import type { Refusal } from "../../protocol/shard-api.ts";
import { backingReadTimeoutMs } from "../../runtime/backing-limits.ts";
import { refuse } from "../refusal.ts";
import type { Supply } from "../supply.ts";
import { Confirmations } from "./confirmations.ts";
import { Dropper } from "./dropper.ts";
import { KeyPlaces } from "./key-places.ts";
import { ledgerOf, type StorageParts } from "./storage-parts.ts";
import { Supplies } from "./supplies.ts";

/** The values of a shard with a storage behind it: which are here, how the others come, and which go. */
export class Values {
  readonly #parts: StorageParts;
  readonly #supplies: Supplies;
  readonly #dropper: Dropper | undefined;
  /** Keys whose value the storage was found to have lost, since this instance began. */
  lost = 0;

  constructor(parts: StorageParts) {
    this.#parts = parts;
    const { keepBytes } = parts.space.storage;
    const places = new KeyPlaces(parts.sql);
    const confirmations = new Confirmations(parts);
    this.#supplies = new Supplies({
      parts,
      places,
      confirmations,
      used: (key) => this.#dropper?.used(key),
      lost: (keys) => {
        this.lost += keys.length;
        parts.report?.("the storage behind a shard has lost values that the shard had let go of", {
          space: parts.space.name,
          keys: keys.length,
        });
      },
      grown: () => this.#dropper?.wake(),
    });
    if (keepBytes !== undefined) {
      this.#dropper = new Dropper({
        ...parts,
        keepBytes,
        places,
        ledger: () => ledgerOf(parts),
        isPinned: (key) => this.#supplies.pins.has(key),
        confirmed: (ledger) => confirmations.all(ledger),
      });
    }
    parts.witness.present = this.#supplies;
    this.#dropper?.wake();
  }

  begin(): Supply {
    return this.#supplies.begin();
  }

  /** A page of the names that the storage has: whoever reads them makes them the shard's. */
  async stored(prefix: string, cursor: string, limit: number): Promise<BackingPage | Refusal> {
    const page = { limit, ...(cursor === "" ? {} : { cursor }) };
    try {
      const found = await this.#parts.backing.scan(page, { timeoutMs: backingReadTimeoutMs });
      return { ...found, keys: found.keys.filter((key) => key.startsWith(prefix)) };
    } catch (error) {
      return refuse(
        WarpError.from(error, "storage_unavailable", "the storage behind the space could not be read"),
      );
    }
  }

  /** The storage has confirmed something. */
  confirmed(): void {
    this.#dropper?.wake();
  }

  end(): void {
    const { witness } = this.#parts;
    if (witness.present === this.#supplies) witness.present = undefined;
    this.#dropper?.end();
  }
}
