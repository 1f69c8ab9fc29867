import type { Backing } from "../../backing/backing.ts";
import type { WarpError } from "../../errors.ts";

/** A storage that can't be used for a reason that every call tells. */
export function brokenBacking(error: WarpError): Backing {
  const refuse = async (): Promise<never> => {
    throw error;
  };
  return {
    supports: { atomicBatch: false, expiry: false, scan: false, persistent: false },
    maxBatchBytes: 0,
    position: refuse,
    bind: refuse,
    apply: refuse,
    read: refuse,
    scan: refuse,
    clear: refuse,
    close: () => {},
  };
}
