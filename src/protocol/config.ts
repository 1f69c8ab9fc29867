import { WarpError } from "../errors.ts";
import { ceilingMaxValueBytes, defaultMaxValueBytes } from "../runtime/limits.ts";

/**
 * The largest value a deployment takes, from `WARP_MAX_VALUE_BYTES`: 1 to 1,900,000 bytes, 1,048,576 if not set. Throws
 * `invalid_argument`. The edge and the shards read the same variable.
 */
export function parseMaxValueBytes(text: string | undefined): number {
  if (text === undefined || text === "") return defaultMaxValueBytes;
  const bytes = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  if (bytes < 1 || bytes > ceilingMaxValueBytes) {
    throw new WarpError(
      "invalid_argument",
      `WARP_MAX_VALUE_BYTES is a whole number from 1 to ${ceilingMaxValueBytes}`,
      {
        details: { field: "WARP_MAX_VALUE_BYTES", min: 1, max: ceilingMaxValueBytes },
      },
    );
  }
  return bytes;
}
