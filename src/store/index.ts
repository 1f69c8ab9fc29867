/** `warp-edge/store`: the keys of a prefix in the memory of a page, kept by the browser and coherent by a watch. */

export type { ErrorCode, ErrorData, ErrorDetails, ErrorOutcome } from "../errors.ts";
export { isWarpError, WarpError } from "../errors.ts";
export { createStore, indexedDbPersistence } from "./create-store.ts";
export { memoryPersistence } from "./memory-persistence.ts";
export type { Kept, KeptChange, KeptState, KeptVerdict, Known, Persistence } from "./persistence.ts";
export { judge } from "./persistence.ts";
export type {
  StoreClient,
  StoreDone,
  StoreSetOptions,
  StoreSettled,
  StoreWatch,
  StoreWriteOptions,
  StoreWritten,
} from "./store-client.ts";
export type {
  StoreEntry,
  StoreHost,
  StoreListener,
  StoreOptions,
  StoreSession,
  StoreStatus,
  WarpStore,
} from "./types.ts";
