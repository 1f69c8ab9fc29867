import type { Backing } from "../../backing/backing.ts";
import type { SpaceSettings, StorageSettings } from "../../protocol/space.ts";
import type { BehindParts } from "../behind.ts";
import type { Ledger } from "../ledger.ts";
import { OutboxTable } from "./outbox-table.ts";
import { Refills } from "./refills.ts";
import { StorageMark } from "./storage-mark.ts";

/** What the parts of a shard that work with its storage share. */
export interface StorageParts extends BehindParts {
  readonly space: SpaceSettings & { readonly storage: StorageSettings };
  readonly backing: Backing;
  readonly table: OutboxTable;
  readonly mark: StorageMark;
  readonly refills: Refills;
}

export function storageParts(
  parts: BehindParts,
  space: StorageParts["space"],
  backing: Backing,
): StorageParts {
  const { sql } = parts;
  return {
    ...parts,
    space,
    backing,
    table: new OutboxTable(sql),
    mark: new StorageMark(sql),
    refills: new Refills(sql),
  };
}

/** The ledger while the shard belongs to the space and that is not being deleted. */
export function ledgerOf({ residence, space }: StorageParts): Ledger | undefined {
  const ledger = residence.open();
  return ledger === undefined || ledger.deleting || ledger.space.id !== space.id ? undefined : ledger;
}
