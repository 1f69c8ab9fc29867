/** `warp-edge/client`: a space from a page, or from any process without a cache of its own. */

export type { ErrorCode, ErrorData, ErrorDetails, ErrorOutcome } from "../errors.ts";
export { isWarpError, WarpError } from "../errors.ts";
export { browserHost } from "../platform/browser.ts";
export type { WatchKind, WatchMode, WatchOperation, WatchTarget } from "../protocol/watch.ts";
export type { ClientHost, Sharing, Signal, Signals } from "../runtime/client-host.ts";
export type { Codec } from "../runtime/codec.ts";
export { createClient } from "./create-client.ts";
export type { HttpAnswers, HttpArguments, HttpParameters, HttpRoute, HttpRoutes } from "./live/routes.ts";
export type {
  ClientCallOptions,
  ClientEntry,
  ClientGetOptions,
  ClientMutationOptions,
  ClientOptions,
  ClientPublishOptions,
  ClientQueue,
  ClientSetOptions,
  ClientStatus,
  ClientWatch,
  ClientWatchOptions,
  ClientWriteOptions,
  Done,
  Queued,
  Settled,
  WarpClient,
  WatchedItem,
  WatchStatus,
  Written,
} from "./live/types.ts";
