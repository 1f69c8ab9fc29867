import { allowsKey, allowsVerb, coversSpace, type Grant, requireVerb } from "../../auth/grant.ts";
import { signToken } from "../../auth/token.ts";
import { WarpError } from "../../errors.ts";
import { uuidv7 } from "../../runtime/ids.ts";
import {
  defaultOnceStreamMs,
  defaultTokenTtlMs,
  maxOnceTokenTtlMs,
  maxTokenLength,
  minTokenTtlMs,
} from "../../runtime/limits.ts";
import type { Call } from "../call.ts";
import { json } from "../route.ts";
import { tokenBody } from "../schemas/tokens.ts";

/** Throws `forbidden` where `asked` is wider than `own`: nobody gives what they have not. */
function requireWithin(asked: Grant, own: Grant, ends: string): void {
  const wider =
    (asked.spaces.every((space) => own.spaces.some((pattern) => coversSpace(pattern, space)))
      ? ""
      : "spaces") ||
    (asked.prefixes.every((prefix) => allowsKey(own, prefix)) ? "" : "prefixes") ||
    (asked.verbs.every((verb) => allowsVerb(own, verb)) ? "" : "verbs") ||
    (asked.expiresAtMs <= own.expiresAtMs ? "" : ends);
  if (wider !== "") {
    throw new WarpError("forbidden", `"${wider}" is wider than the token that asks`, {
      details: { field: wider },
    });
  }
}

/** `POST /tokens`. */
export async function mintToken(call: Call): Promise<Response> {
  const own = call.grant;
  requireVerb(own, "admin");
  const { clock, random } = call.deployment;
  const body = await call.body(tokenBody);
  const key = await call.authenticator.signingKey();
  const now = clock.now();
  const { use, subject, spaces, verbs, prefixes = own.prefixes } = body;
  if (use === undefined && body.streamMs !== undefined) {
    throw new WarpError("invalid_argument", 'streamMs goes with "use": "once"', {
      details: { field: "streamMs" },
    });
  }
  if (use === "once" && (body.expiresInMs ?? 0) > maxOnceTokenTtlMs) {
    throw new WarpError("invalid_ttl", `a token for one use lives at most ${maxOnceTokenTtlMs} ms`, {
      details: { field: "expiresInMs", min: minTokenTtlMs, max: maxOnceTokenTtlMs },
    });
  }
  // What is not said ends with the token that asks; what is said and lasts longer is refused.
  const ending = (asked: number | undefined, usual: number): number =>
    Math.floor(asked === undefined ? Math.min(now + usual, own.expiresAtMs) : now + asked);
  const expiresAtMs = ending(body.expiresInMs, use === "once" ? maxOnceTokenTtlMs : defaultTokenTtlMs);
  const untilMs = use === undefined ? expiresAtMs : ending(body.streamMs, defaultOnceStreamMs);
  requireWithin({ subject, spaces, prefixes, verbs, expiresAtMs }, own, "expiresInMs");
  requireWithin({ subject, spaces, prefixes, verbs, expiresAtMs: untilMs }, own, "streamMs");
  const claims = {
    sub: subject,
    spaces,
    prefixes,
    verbs,
    // Milliseconds are kept as a fraction, which RFC 7519 allows: a token lives as long as was asked for.
    exp: expiresAtMs / 1_000,
    iat: Math.floor(now / 1_000),
    jti: uuidv7(clock, random),
    ...(use && { use, until: untilMs / 1_000 }),
  };
  const token = await signToken(claims, key);
  if (token.length > maxTokenLength) {
    throw new WarpError("invalid_argument", `a token has at most ${maxTokenLength} characters`);
  }
  return json({ token, ...claims, expiresAtMs }, 201);
}
