import { type ErrorCode, WarpError } from "../../errors.ts";
import { closeCodes } from "../../protocol/wire/frames.ts";

/** How a session ended: what callers are told, and when to connect again. `unused`: when somebody asks. */
export interface SessionEnd {
  readonly error: WarpError;
  readonly next: "now" | "later" | "unused" | "refused";
}

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
 * was under way: `unknown`. `isCode` tells what counts as a code; without it anything of its form does, which spares a small client the list of them.
 */
export function readClose(
  code: number,
  reason: string,
  isCode: (text: string) => boolean = (text) => text !== "",
): SessionEnd {
  const why = reason === "" ? "" : `: ${reason}`;
  const named = /^([a-z_]+)(?::|$)/.exec(reason)?.[1] ?? "";
  const codeOr = (other: ErrorCode): ErrorCode => (isCode(named) ? (named as ErrorCode) : other);
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

/** Whether connecting again would end the same way, so that nobody need wait for it: refused, or the space is gone. */
export function isForGood({ next, error }: SessionEnd): boolean {
  return next === "refused" || (next === "unused" && error.code !== "unavailable");
}

/** What a caller gets who has sent nothing. */
export function notSent(error: WarpError, retryAfterMs?: number): WarpError {
  return new WarpError(error.code, error.message, {
    ...error.toData(),
    outcome: "fail",
    cause: error.cause ?? error,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) }),
  });
}
