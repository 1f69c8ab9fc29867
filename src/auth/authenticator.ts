import { WarpError } from "../errors.ts";
import { utf8 } from "../runtime/bytes.ts";
import type { Clock } from "../runtime/clock.ts";
import { maxRememberedTokens, maxTokenLength } from "../runtime/limits.ts";
import { type AuthConfig, refuseIfClosed } from "./config.ts";
import { fullGrant, type Grant } from "./grant.ts";
import { type HmacKey, hmacKey, verifyToken } from "./token.ts";

const openGrant = fullGrant("open");

/** Tells who asks. Verified bearers are remembered until they end, so that a hot path verifies nothing. */
export class Authenticator {
  readonly #config: AuthConfig;
  readonly #clock: Clock;
  readonly #remembered = new Map<string, Grant>();
  #keys: readonly HmacKey[] | undefined;
  #tags: readonly ArrayBuffer[] = [];

  constructor(config: AuthConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  /**
   * The grant of an `Authorization` header. Answers at once for a bearer that was verified before. Throws (or rejects with)
   * `deployment_closed`, `token_missing`, `token_invalid`, `token_expired`.
   */
  authenticate(authorization: string | null): Grant | Promise<Grant> {
    if (this.#config.open) return openGrant;
    refuseIfClosed(this.#config);
    if (authorization === null) throw new WarpError("token_missing", "send Authorization: Bearer <token>");
    return this.admit(/^Bearer +([^\s]+)$/i.exec(authorization)?.[1] ?? "");
  }

  /** The grant of a bearer: the secret or a token. As {@link authenticate}. */
  admit(bearer: string): Grant | Promise<Grant> {
    if (this.#config.open) return openGrant;
    refuseIfClosed(this.#config);
    const known = this.#known(bearer);
    return known ?? this.#verify(bearer);
  }

  /**
   * The grant of a token for one use, which `redeem` is to spend: what it opens may last longer than itself. Rejects as {@link authenticate}, with `token_invalid` for any other token, the secret
   * included: it would stand in logs.
   */
  async admitOnce(token: string, redeem: (id: string, grant: Grant) => Promise<boolean>): Promise<Grant> {
    if (this.#config.open) return openGrant;
    refuseIfClosed(this.#config);
    checkLength(token);
    const grant = await verifyToken(token, await this.#load(), this.#clock.now());
    const { once } = grant;
    if (once === undefined) {
      throw new WarpError("token_invalid", "a query takes tokens for one use only: see POST /tokens");
    }
    if (await redeem(once.id, grant)) return { ...grant, expiresAtMs: once.untilMs };
    throw new WarpError("token_invalid", "the token was good for one use and is spent");
  }

  #known(bearer: string): Grant | undefined {
    checkLength(bearer);
    const known = this.#remembered.get(bearer);
    if (known === undefined || known.expiresAtMs > this.#clock.now()) return known;
    this.#remembered.delete(bearer);
    throw new WarpError("token_expired", "the token has expired");
  }

  /** The key that signs: the newest secret's. Throws `unsupported` where there is none. */
  async signingKey(): Promise<HmacKey> {
    const [newest] = await this.#load();
    if (newest === undefined) {
      throw new WarpError("unsupported", "an open deployment has no secret to sign tokens with");
    }
    return newest;
  }

  async #verify(bearer: string): Promise<Grant> {
    const keys = await this.#load();
    // Equality with a secret is decided by comparing two HMACs, which WebCrypto does in constant time.
    let isSecret = false;
    for (const [index, key] of keys.entries()) {
      const tag = this.#tags[index];
      if (tag !== undefined && (await crypto.subtle.verify("HMAC", key, tag, utf8(bearer)))) isSecret = true;
    }
    const grant = isSecret ? fullGrant("admin") : await verifyToken(bearer, keys, this.#clock.now());
    if (grant.once !== undefined) {
      throw new WarpError("token_invalid", "the token is good for one use, as ?token= of a stream");
    }
    this.#remember(bearer, grant);
    return grant;
  }

  #remember(bearer: string, grant: Grant): void {
    if (this.#remembered.size >= maxRememberedTokens) {
      // The oldest goes; verifying it again costs one HMAC.
      const oldest = this.#remembered.keys().next();
      if (!oldest.done) this.#remembered.delete(oldest.value);
    }
    this.#remembered.set(bearer, grant);
  }

  /** Keys are kept, not the promise of them: a promise begun by one request may never settle for another one in a Worker. */
  async #load(): Promise<readonly HmacKey[]> {
    if (this.#keys !== undefined) return this.#keys;
    const keys: HmacKey[] = [];
    const tags: ArrayBuffer[] = [];
    for (const secret of this.#config.secrets) {
      const key = await hmacKey(secret);
      keys.push(key);
      tags.push(await crypto.subtle.sign("HMAC", key, utf8(secret)));
    }
    this.#tags = tags;
    this.#keys = keys;
    return keys;
  }
}

function checkLength(bearer: string): void {
  if (bearer !== "" && bearer.length <= maxTokenLength) return;
  throw new WarpError(
    "token_invalid",
    `Authorization must be Bearer and a token of at most ${maxTokenLength} characters`,
  );
}
