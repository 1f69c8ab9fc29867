/** Runs in a page: the contract of keeping over the browser's own databases. */

import { indexedDbPersistence } from "../../../../src/store/create-store.ts";
import { persistenceContract, whole } from "../../../contract/persistence.ts";
import { suite } from "./suite.ts";

let count = 0;
persistenceContract(() => {
  const name = `contract-${Date.now()}-${count++}`;
  return { open: () => indexedDbPersistence(name) };
});

/** Runs the suite; what failed, and how many there were. */
async function contract(): Promise<{ readonly run: number; readonly failed: readonly string[] }> {
  const failed: string[] = [];
  for (const { title, run } of suite) {
    try {
      await run();
    } catch (error) {
      failed.push(`${title}: ${String(error)}`);
    }
  }
  return { run: suite.length, failed };
}

Object.assign(globalThis, { contract, whole, open: indexedDbPersistence });
