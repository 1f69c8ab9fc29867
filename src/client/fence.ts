import { checkGuard } from "../protocol/fence.ts";
import type { FenceGuard } from "../protocol/operation.ts";

/** `Warp-Fence` of a guarded change. Throws `invalid_lock`, `invalid_argument`. */
export function fenceHeader(guard: FenceGuard | undefined): Record<string, string> {
  if (guard === undefined) return {};
  checkGuard(guard);
  return { "Warp-Fence": `${encodeURIComponent(guard.lock)}=${guard.fence}` };
}
