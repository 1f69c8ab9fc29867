import { WarpError } from "../../errors.ts";
import type { Caller } from "../../protocol/wire/caller.ts";

/** Whom a token belongs to. Throws `token_invalid`, `token_expired`; `forbidden` where it does not reach into the space of `caller`. */
export type Authenticate = (token: string, caller: Caller) => Promise<Caller>;

/**
 * The caller of a session that has brought a token: a newer one, or its first. Throws `forbidden` for a token of somebody else: what the session has done, and op ids that it
 * sends, are its subject's.
 */
export async function renewedCaller(
  authenticate: Authenticate | undefined,
  token: string,
  caller: Caller,
): Promise<Caller> {
  if (authenticate === undefined) throw new WarpError("unsupported", "tokens are not renewed here");
  const { space, shard, zone, subject, follows, isPending } = caller;
  const renewed = await authenticate(token, caller);
  if (isPending !== true && renewed.subject !== subject) {
    throw new WarpError("forbidden", "the token is not of this session's subject");
  }
  // A node serves what it holds to its own callers: it can't do that under fewer keys.
  if (follows !== false && caller.prefixes === undefined && renewed.prefixes !== undefined) {
    throw new WarpError("forbidden", "the token is of some prefixes only, and the session of all keys");
  }
  return {
    ...renewed,
    space,
    shard,
    ...(follows === undefined ? {} : { follows }),
    ...(zone === undefined ? {} : { zone }),
  };
}
