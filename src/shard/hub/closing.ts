import type { ErrorCode, WarpError } from "../../errors.ts";
import { closeCodes } from "../../protocol/wire/frames.ts";

/** How a frame that can't be answered ends its socket. */
const codes: { readonly [Code in ErrorCode]?: number } = {
  invalid_frame: closeCodes.invalidFrame,
  frame_too_large: closeCodes.frameTooLarge,
  protocol_mismatch: closeCodes.protocolMismatch,
  forbidden: closeCodes.unauthorized,
  token_missing: closeCodes.unauthorized,
  token_invalid: closeCodes.unauthorized,
  token_expired: closeCodes.unauthorized,
  deployment_closed: closeCodes.unauthorized,
};

export function closeCodeOf({ code }: WarpError): number {
  return codes[code] ?? closeCodes.overloaded;
}

/** The reason of a close frame: its code and words, within the 123 bytes that there are. */
export function closeReason(error: WarpError): string {
  return `${error.code}: ${error.message}`.slice(0, 123);
}
