/** `warp-edge/store`: the keys of a prefix in the memory of a page, kept by the browser and coherent by a watch. */

export type { ErrorCode, ErrorData, ErrorDetails, ErrorOutcome } from "../errors.ts";
export { isWarpError, WarpError } from "../errors.ts";
