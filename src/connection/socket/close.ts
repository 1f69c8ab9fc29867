import { type ErrorCode, errorCodes, WarpError } from "../../errors.ts";
import { closeCodes } from "../../protocol/wire/frames.ts";

/** How a session ended: what callers are told, and when to connect again. `unused`: when somebody asks. */
export interface SessionEnd {
  readonly error: WarpError;
  readonly next: "now" | "later" | "unused" | "refused";
}

const known: ReadonlySet<string> = new Set(errorCodes);

const refusals: Readonly<Record<number, ErrorCode>> = {
  [closeCodes.invalidFrame]: "invalid_frame",
  [closeCodes.protocolMismatch]: "protocol_mismatch",
  [closeCodes.unauthorized]: "token_invalid",
  [closeCodes.helloLate]: "deadline_exceeded",
  [closeCodes.ackInvalid]: "invalid_frame",
  [closeCodes.frameTooLarge]: "frame_too_large",
};

/**
 * What the end of a socket means. A reason may begin with a code of Warp's errors and a colon, which is then the error's. The outcome is for a call that
 * was under way: `unknown`.
 */
export function readClose(code: number, reason: string): SessionEnd {
  const why = reason === "" ? "" : `: ${reason}`;
  const named = /^([a-z_]+)(?::|$)/.exec(reason)?.[1] ?? "";
  const codeOr = (other: ErrorCode): ErrorCode => (known.has(named) ? (named as ErrorCode) : other);
  const ended = (error: ErrorCode, message: string): WarpError =>
    new WarpError(error, message, { outcome: "unknown" });
  // It may be made anew at any time; whoever asks next will see.
  if (code === closeCodes.spaceGone) {
    return {
      error: ended(codeOr("space_not_found"), `the space, or this shard of it, is gone${why}`),
      next: "unused",
    };
  }
  if (code === closeCodes.idle) {
    return { error: ended("unavailable", `the connection was idle${why}`), next: "unused" };
  }
  if (code >= 4000 && code < 4100) {
    const refused = codeOr(refusals[code] ?? "internal");
    return { error: ended(refused, `the shard refused the connection (${code}${why})`), next: "refused" };
  }
  if (code === closeCodes.overloaded) {
    return { error: ended("overloaded", `the shard takes no more connections${why}`), next: "later" };
  }
  return {
    error: ended("unavailable", `the connection to the shard broke (${code}${why})`),
    next: code >= 4200 && code < 4300 ? "now" : "later",
  };
}
