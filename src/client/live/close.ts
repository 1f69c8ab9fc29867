import { type ErrorCode, WarpError } from "../../errors.ts";

/** How a session ended: what its callers are told, and when to connect again. `unused`: when somebody asks. */
export interface SessionEnd {
  readonly error: WarpError;
  readonly next: "now" | "later" | "unused" | "refused";
}

/** What a close code means; a reason may begin with a code of Warp's errors. `docs/http.md` lists them. */
export function endOf(code: number, reason: string): SessionEnd {
  const named = /^[a-z_]+/.exec(reason)?.[0] as ErrorCode | undefined;
  const [error, next]: readonly [ErrorCode, SessionEnd["next"]] =
    code === 4010
      ? [named ?? "space_not_found", "unused"]
      : code >= 4000 && code < 4100
        ? [named ?? (code === 4003 ? "token_invalid" : "internal"), "refused"]
        : [code === 4100 ? "overloaded" : "unavailable", code >= 4200 && code < 4300 ? "now" : "later"];
  return {
    error: new WarpError(error, `the connection ended: ${code} ${reason}`, { outcome: "unknown" }),
    next,
  };
}

export function unavailable(why: string, cause?: unknown): WarpError {
  return new WarpError("unavailable", why, { outcome: "unknown", cause });
}

/** What a caller gets who has sent nothing. */
export function unsent({ code, message }: WarpError, retryAfterMs = 0): WarpError {
  return new WarpError(code, message, { retryAfterMs: Math.ceil(retryAfterMs) });
}

export function closed(): WarpError {
  return new WarpError("warp_closed", "the client was closed");
}
