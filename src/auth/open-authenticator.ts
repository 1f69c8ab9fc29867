import type { Caller } from "../protocol/wire/caller.ts";
import type { Clock } from "../runtime/clock.ts";
import { Authenticator } from "./authenticator.ts";
import { callerOf } from "./caller-of.ts";
import { type AuthEnvironment, readAuthConfig } from "./config.ts";

/**
 * Looks at the tokens that sessions bring: gives the caller that one makes of them, over the secrets of the environment. They are read when the first token
 * comes: an object whose secret is wrong still serves its Worker. Rejects with `token_invalid`, `token_expired`, `forbidden`, `deployment_closed`.
 */
export function openAuthenticator(
  environment: AuthEnvironment,
  clock: Clock,
): (token: string, caller: Caller) => Promise<Caller> {
  let authenticator: Authenticator | undefined;
  return async (token, { space, shard, zone, follows = true }) => {
    authenticator ??= new Authenticator(readAuthConfig(environment), clock);
    const grant = await authenticator.admit(token);
    return callerOf(grant, { space, shard, zone, follows });
  };
}
