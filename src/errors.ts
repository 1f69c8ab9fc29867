/**
 * The one error class of Warp and its closed union of codes.
 *
 * Every refusal, on every surface, is a {@link WarpError} (or, over the wire, its plain form
 * {@link ErrorData}); `docs/errors.md` lists each code with what to do about it.
 */

/** All codes, in the order of `docs/errors.md`. Codes are added, never renamed. */
export const errorCodes = [
  // what the caller sent
  "invalid_key",
  "invalid_encoding",
  "invalid_space",
  "invalid_pattern",
  "invalid_registration",
  "invalid_argument",
  "invalid_limit",
  "invalid_ttl",
  "invalid_cursor",
  "invalid_version",
  "invalid_op_id",
  "invalid_lock",
  "invalid_json",
  "invalid_line",
  "invalid_value",
  "value_too_large",
  "body_too_large",
  "batch_too_large",
  "unsupported_media_type",
  "duplicate_key",
  "invalid_frame",
  "frame_too_large",
  // what is not there
  "not_found",
  "space_not_found",
  "registration_not_found",
  "lease_not_found",
  "ticket_not_found",
  "route_not_found",
  "method_not_allowed",
  // what stands against it
  "unregistered",
  "registration_conflict",
  "space_conflict",
  "space_deleting",
  "precondition_failed",
  "op_id_reused",
  "op_id_expired",
  "cursor_compacted",
  "version_compacted",
  "cross_shard",
  "merge_rule_missing",
  "merge_rule_unknown",
  "merge_failed",
  "quorum_failed",
  "write_interrupted",
  "op_sealed",
  "lock_held",
  "lock_waiting",
  "lock_lost",
  "not_owner",
  "wrong_kind",
  "stale_fence",
  "session_ended",
  "protocol_mismatch",
  "unsupported",
  // who asks
  "token_missing",
  "token_invalid",
  "token_expired",
  "forbidden",
  "origin_forbidden",
  "host_forbidden",
  "deployment_closed",
  "misconfigured",
  // what went wrong on the way
  "aborted",
  "deadline_exceeded",
  "overloaded",
  "unavailable",
  "storage_timeout",
  "storage_unavailable",
  "encode_failed",
  "decode_failed",
  "warp_closed",
  "internal",
] as const;

/** A code from the closed union. */
export type ErrorCode = (typeof errorCodes)[number];

/** Whether it is one of them: a newer deployment may have others. */
export function isErrorCode(text: string): text is ErrorCode {
  return (errorCodes as readonly string[]).includes(text);
}

/**
 * How a failed mutation ended (rule OU1): `fail` had no effect and never will;
 * `unknown` may have been done. Reads always end as `fail`.
 */
export type ErrorOutcome = "fail" | "unknown";

/** Facts about an error that a program may use: the field, its range, the line … Never values or tokens. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** The plain form of a {@link WarpError}: what crosses RPC, frames and problem+json. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly outcome: ErrorOutcome;
  readonly retryable: boolean;
  /** Milliseconds to wait before a retry makes sense. */
  readonly retryAfterMs?: number;
  readonly details?: ErrorDetails;
}

/** Optional parts of a {@link WarpError}. */
export interface WarpErrorOptions {
  /** What made it happen; kept on `cause`, never sent to a client. */
  readonly cause?: unknown;
  /** Default `"fail"`. */
  readonly outcome?: ErrorOutcome;
  /** Default: whether the code is one of the passing troubles (`unavailable`, `overloaded`, …). */
  readonly retryable?: boolean;
  /** Milliseconds; absent when there is no sensible guess. */
  readonly retryAfterMs?: number;
  readonly details?: ErrorDetails;
}

const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "deadline_exceeded",
  "overloaded",
  "unavailable",
  "storage_timeout",
  "storage_unavailable",
  "space_deleting",
  "quorum_failed",
  "write_interrupted",
  "session_ended",
  "lock_held",
  "lock_waiting",
]);

/** Every error that Warp raises. */
export class WarpError extends Error {
  override readonly name = "WarpError";
  readonly code: ErrorCode;
  readonly outcome: ErrorOutcome;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly details: ErrorDetails | undefined;

  constructor(code: ErrorCode, message: string, options: WarpErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.outcome = options.outcome ?? "fail";
    this.retryable = options.retryable ?? passing.has(code);
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details;
  }

  /** The plain form, without the cause. */
  toData(): ErrorData {
    return {
      code: this.code,
      message: this.message,
      outcome: this.outcome,
      retryable: this.retryable,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }

  /** The error again, from its plain form. */
  static fromData(data: ErrorData): WarpError {
    return new WarpError(data.code, data.message, data);
  }

  /** `error` itself if it is a WarpError, else one with `code` that keeps it as its cause. */
  static from(error: unknown, code: ErrorCode, message: string, options: WarpErrorOptions = {}): WarpError {
    return error instanceof WarpError ? error : new WarpError(code, message, { ...options, cause: error });
  }
}

/** Whether `error` is a WarpError, of one of `codes` if any are given. */
export function isWarpError(error: unknown, ...codes: readonly ErrorCode[]): error is WarpError {
  return error instanceof WarpError && (codes.length === 0 || codes.includes(error.code));
}
