import { WarpError } from "../../errors.ts";
import type { HeldLocks } from "../../protocol/fence.ts";

/** What stands for the locks of a storage that has none beside it. */
export const noLocks: HeldLocks = {
  isHeld: () => {
    throw new WarpError("unsupported", "this storage has no locks beside it: it judges no fences");
  },
};
