import { allowsKey, allowsVerb, coversSpace, type Grant, requireVerb } from "../../auth/grant.ts";
import { signToken } from "../../auth/token.ts";
import { WarpError } from "../../errors.ts";
import { uuidv7 } from "../../runtime/ids.ts";
import { defaultTokenTtlMs, maxOnceTokenTtlMs, minTokenTtlMs } from "../../runtime/limits.ts";
import type { Call } from "../call.ts";
import { json, type Route } from "../route.ts";
import { tokenBody } from "../schemas/tokens.ts";

/** Throws `forbidden` where `asked` is wider than `own`: nobody gives what they have not. */
function requireWithin(asked: Grant, own: Grant): void {
  const wider =
    (asked.spaces.every((space) => own.spaces.some((pattern) => coversSpace(pattern, space)))
      ? ""
      : "spaces") ||
    (asked.prefixes.every((prefix) => allowsKey(own, prefix)) ? "" : "prefixes") ||
    (asked.verbs.every((verb) => allowsVerb(own, verb)) ? "" : "verbs") ||
    (asked.expiresAtMs <= own.expiresAtMs ? "" : "expiresInMs");
  if (wider !== "") {
    throw new WarpError("forbidden", `"${wider}" is wider than the token that asks`, {
      details: { field: wider },
    });
  }
}

async function mintToken(call: Call): Promise<Response> {
  const own = call.grant;
  requireVerb(own, "admin");
  const { clock, random } = call.deployment;
  const body = await call.body(tokenBody);
  const key = await call.authenticator.signingKey();
  const now = clock.now();
  const { use } = body;
  const usualMs = use === "once" ? maxOnceTokenTtlMs : defaultTokenTtlMs;
  const wanted = now + (body.expiresInMs ?? usualMs);
  if (use === "once" && wanted > now + maxOnceTokenTtlMs) {
    throw new WarpError("invalid_ttl", `a token for one use lives at most ${maxOnceTokenTtlMs} ms`, {
      details: { field: "expiresInMs", min: minTokenTtlMs, max: maxOnceTokenTtlMs },
    });
  }
  const end = body.expiresInMs === undefined ? Math.min(wanted, own.expiresAtMs) : wanted;
  // Milliseconds are kept as a fraction, which RFC 7519 allows: a token lives as long as was asked for.
  const exp = Math.floor(end) / 1_000;
  const { subject, spaces, verbs } = body;
  const prefixes = body.prefixes ?? own.prefixes;
  requireWithin({ subject, spaces, prefixes, verbs, expiresAtMs: Math.floor(end) }, own);
  const jti = uuidv7(clock, random);
  const claims = {
    sub: subject,
    spaces,
    prefixes,
    verbs,
    exp,
    iat: Math.floor(now / 1_000),
    jti,
    ...(use && { use }),
  };
  const token = await signToken(claims, key);
  return json({ token, ...claims, expiresAtMs: Math.floor(end) }, 201);
}

/** Scoped tokens. */
export const tokenRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/tokens",
    summary: "Mints a scoped token that is never wider than the one that asks.",
    access: "caller",
    body: tokenBody,
    run: mintToken,
  },
];
