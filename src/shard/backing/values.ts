import type { Backing } from "../../backing/backing.ts";
import type { SpaceSettings, StorageSettings } from "../../protocol/space.ts";
import type { BehindParts } from "../behind.ts";
import type { Supply } from "../supply.ts";
import { Supplies } from "./supplies.ts";

/** The values of a shard with a storage behind it: which are here, and how the others come. */
export class Values {
  readonly #parts: BehindParts;
  readonly #supplies: Supplies;
  /** Keys whose value the storage was found to have lost, since this instance began. */
  lost = 0;

  constructor(
    parts: BehindParts,
    space: SpaceSettings & { readonly storage: StorageSettings },
    backing: Pick<Backing, "read">,
  ) {
    this.#parts = parts;
    this.#supplies = new Supplies({
      ...parts,
      spaceId: space.id,
      backing,
      lost: (keys) => {
        this.lost += keys.length;
      },
      grown: () => {},
    });
    parts.witness.present = this.#supplies;
  }

  begin(): Supply {
    return this.#supplies.begin();
  }

  end(): void {
    const { witness } = this.#parts;
    if (witness.present === this.#supplies) witness.present = undefined;
  }
}
