import { WarpError } from "../errors.ts";
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from "../runtime/bytes.ts";
import { maxOnceTokenTtlMs, maxTokenScopes, tokenSkewMs } from "../runtime/limits.ts";
import { type Grant, type Verb, verbs } from "./grant.ts";

/** What a token says. `exp` and `iat` are Unix seconds (RFC 7519). */
export interface Claims extends Pick<Grant, "spaces" | "prefixes" | "verbs"> {
  readonly sub: string;
  readonly exp: number;
  readonly iat: number;
  readonly jti: string;
  /** Good for one use, in the query of a stream, and nothing else. */
  readonly use?: "once";
  /** With `use`: until when what it opens may last, in Unix seconds. Default: as long as the token. */
  readonly until?: number;
}

const header = toBase64Url(utf8('{"alg":"HS256","typ":"JWT"}'));

/** A key as WebCrypto has it; hosts name its type differently. */
export type HmacKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** An HMAC-SHA-256 key. */
export async function hmacKey(secret: string): Promise<HmacKey> {
  return await crypto.subtle.importKey("raw", utf8(secret), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
    "verify",
  ]);
}

/** A signed token: a JWT with HS256. */
export async function signToken(claims: Claims, key: HmacKey): Promise<string> {
  const signed = `${header}.${toBase64Url(utf8(JSON.stringify(claims)))}`;
  const signature = await crypto.subtle.sign("HMAC", key, utf8(signed));
  return `${signed}.${toBase64Url(new Uint8Array(signature))}`;
}

function invalid(why: string): WarpError {
  return new WarpError("token_invalid", `the token is not valid: ${why}`);
}

function jsonPart(part: string, what: string): Record<string, unknown> {
  const bytes = fromBase64Url(part);
  try {
    const value: unknown = bytes === undefined ? undefined : JSON.parse(fromUtf8(bytes));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Whatever is wrong with it, the answer is the same.
  }
  throw invalid(`its ${what} is not a JSON object`);
}

function texts(value: unknown, name: string): readonly string[] {
  const good =
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= maxTokenScopes &&
    value.every((item) => typeof item === "string");
  if (!good) throw invalid(`"${name}" must be a list of 1 to ${maxTokenScopes} texts`);
  return value as readonly string[];
}

function seconds(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) {
    throw invalid(`"${name}" must be a time in seconds`);
  }
  return value;
}

/**
 * What a token grants. The algorithm is fixed: a token that names another one, `none` included, is refused before its signature is looked at.
 * Signatures are compared in constant time by WebCrypto. Throws `token_invalid`, `token_expired`.
 */
export async function verifyToken(token: string, keys: readonly HmacKey[], nowMs: number): Promise<Grant> {
  const parts = token.split(".");
  const [head = "", body = "", tail = ""] = parts;
  if (parts.length !== 3) throw invalid("it is neither the secret nor a signed token");
  const { alg, crit } = jsonPart(head, "header");
  if (alg !== "HS256" || crit !== undefined) throw invalid("it must be signed with HS256");
  const signature = fromBase64Url(tail);
  if (signature === undefined) throw invalid("its signature is not base64url");
  const signed = utf8(`${head}.${body}`);
  let genuine = false;
  for (const key of keys) {
    if (await crypto.subtle.verify("HMAC", key, signature, signed)) genuine = true;
  }
  if (!genuine) throw invalid("its signature is wrong");
  return readClaims(jsonPart(body, "payload"), nowMs);
}

/** The grant in signed claims. `aud` is refused: a token for somebody else is none for us. Other claims are left alone. */
function readClaims(claims: Record<string, unknown>, nowMs: number): Grant {
  const { sub, aud } = claims;
  if (aud !== undefined) throw invalid('"aud" names another audience');
  if (typeof sub !== "string" || !isSubject(sub)) {
    throw invalid('"sub" must be 1 to 128 printable characters, not "admin" or "open"');
  }
  const granted = texts(claims.verbs, "verbs");
  if (!granted.every((verb) => (verbs as readonly string[]).includes(verb))) {
    throw invalid(`"verbs" takes ${verbs.join(", ")}`);
  }
  const spaces = texts(claims.spaces, "spaces");
  const prefixes = texts(claims.prefixes, "prefixes");
  const expiresAtMs = Math.round(seconds(claims.exp, "exp") * 1_000);
  for (const name of ["iat", "nbf"]) {
    if (claims[name] !== undefined && seconds(claims[name], name) * 1_000 > nowMs + tokenSkewMs) {
      throw invalid(`its "${name}" lies in the future`);
    }
  }
  if (expiresAtMs <= nowMs) throw new WarpError("token_expired", "the token has expired");
  const grant = { subject: sub, spaces, prefixes, verbs: granted as readonly Verb[], expiresAtMs };
  const once = readOnce(claims, expiresAtMs, nowMs);
  return once === undefined ? grant : { ...grant, once };
}

/** What a token for one use says beyond others. It is short-lived: what was spent is remembered until it ends. */
function readOnce(claims: Record<string, unknown>, expiresAtMs: number, nowMs: number): Grant["once"] {
  const { use, jti, until } = claims;
  if (use === undefined) return undefined;
  if (use !== "once") throw invalid('"use" takes "once"');
  if (typeof jti !== "string" || !/^[\x21-\x7e]{8,128}$/.test(jti)) {
    throw invalid('"jti" must be 8 to 128 printable characters where "use" is "once"');
  }
  if (expiresAtMs > nowMs + maxOnceTokenTtlMs + tokenSkewMs) {
    throw invalid('it lives too long for "use": "once"');
  }
  return {
    id: jti,
    untilMs: until === undefined ? expiresAtMs : Math.round(seconds(until, "until") * 1_000),
  };
}

const reserved: ReadonlySet<string> = new Set(["admin", "open"]);

/** Whether a token may have this subject: `admin` is the secret's own, `open` that of an open deployment. */
export function isSubject(text: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(text) && !reserved.has(text);
}
