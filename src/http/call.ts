import type * as v from "valibot";
import type { Authenticator } from "../auth/authenticator.ts";
import type { Grant } from "../auth/grant.ts";
import { WarpError } from "../errors.ts";
import { checkSpace } from "../protocol/key.ts";
import { readOffer } from "../protocol/wire/subprotocols.ts";
import { uuidv7, uuidv7Time } from "../runtime/ids.ts";
import { maxControlBytes, maxTimeoutMs, minTimeoutMs } from "../runtime/limits.ts";
import { readJson } from "./body.ts";
import { check, type FieldCodes } from "./check.ts";
import type { Deployment, SpaceWarp } from "./deployment.ts";
import type { Guard } from "./guard.ts";
import { decodePart, parseQuery, type Target } from "./target.ts";

/** One request on its way through a route. */
export class Call {
  readonly deployment: Deployment;
  readonly request: Request;
  readonly target: Target;
  readonly authenticator: Authenticator;
  requestId: string;
  readonly #guard: Guard;
  #stamped = false;
  /** Set once the caller is known. */
  #grant: Grant | undefined;
  #space: string | undefined;
  #opId: string | undefined;

  constructor(
    deployment: Deployment,
    request: Request,
    target: Target,
    authenticator: Authenticator,
    requestId: string,
    guard: Guard,
  ) {
    this.#guard = guard;
    this.deployment = deployment;
    this.request = request;
    this.target = target;
    this.authenticator = authenticator;
    this.requestId = requestId;
  }

  /** Whether the answer's headers came from {@link stamp}. */
  get stamped(): boolean {
    return this.#stamped;
  }

  /**
   * Adds to `headers` what stands on every answer. Routes on the hot path make their answer with it, since each header that is set
   * afterwards crosses into the host once more; all others are stamped when they are done.
   */
  stamp(headers: Record<string, string>): Record<string, string> {
    headers["Warp-Request-Id"] = this.requestId;
    headers["X-Content-Type-Options"] = "nosniff";
    if (this.#opId !== undefined) headers["Warp-Op-Id"] = this.#opId;
    this.#guard.stamp(headers, this.request.headers.get("Origin"));
    this.#stamped = true;
    return headers;
  }

  /**
   * What the caller shows: its `Authorization`, or for a socket the token among its subprotocols, since browsers and others give sockets no
   * headers.
   */
  get authorization(): string | null {
    const { headers } = this.request;
    const given = headers.get("Authorization");
    if (given !== null || headers.get("Upgrade") === null) return given;
    const { token } = readOffer(headers.get("Sec-WebSocket-Protocol"));
    return token === undefined ? null : `Bearer ${token}`;
  }

  /** Throws `origin_forbidden` for a page whose origin is not on the list: nothing else keeps a foreign page from opening sockets. */
  requireOrigin(): void {
    this.#guard.requireOrigin(this.request.headers.get("Origin"));
  }

  /** What the caller may do. */
  get grant(): Grant {
    if (this.#grant === undefined) throw new WarpError("token_missing", "this route did not ask who calls");
    return this.#grant;
  }

  set grant(grant: Grant) {
    this.#grant = grant;
  }

  /** The space in the path: `/v1/{space}…`. Throws `invalid_encoding`, `invalid_space`. */
  get space(): string {
    if (this.#space === undefined) {
      const { path } = this.target;
      const end = path.indexOf("/", 4);
      const space = decodePart(path.slice(4, end < 0 ? path.length : end), "the space's name");
      checkSpace(space);
      this.#space = space;
    }
    return this.#space;
  }

  /** What follows `/v1/{space}/{resource}/`, still encoded. */
  get rest(): string {
    const { path } = this.target;
    const resource = path.indexOf("/", 4) + 1;
    return path.slice(path.indexOf("/", resource) + 1);
  }

  get warp(): SpaceWarp {
    return this.deployment.warp(this.space);
  }

  /** The op id of a mutation: the caller's, or a new one. It then stands on every answer, refusals included. */
  takeOpId(): string {
    const given = this.request.headers.get("Warp-Op-Id");
    if (given !== null && uuidv7Time(given) === undefined) {
      throw new WarpError("invalid_op_id", "Warp-Op-Id must be a UUIDv7 in lower case");
    }
    this.#opId = given ?? uuidv7(this.deployment.clock, this.deployment.random);
    return this.#opId;
  }

  /** The op id of {@link takeOpId}, once more. */
  get takenOpId(): string {
    return this.#opId ?? this.takeOpId();
  }

  /** `Warp-Timeout-Ms` as call options: 100 to 120,000 ms. */
  get callOptions(): { readonly timeoutMs?: number } {
    const text = this.request.headers.get("Warp-Timeout-Ms");
    if (text === null) return none;
    const timeoutMs = /^[0-9]{1,6}$/.test(text) ? Number(text) : Number.NaN;
    if (!(timeoutMs >= minTimeoutMs && timeoutMs <= maxTimeoutMs)) {
      throw new WarpError(
        "invalid_argument",
        `Warp-Timeout-Ms must be a whole number, ${minTimeoutMs} to ${maxTimeoutMs}`,
        {
          details: { header: "Warp-Timeout-Ms", min: minTimeoutMs, max: maxTimeoutMs },
        },
      );
    }
    return { timeoutMs };
  }

  /** Options of a mutation: deadline, op id and whose it is. */
  mutationOptions(): { readonly timeoutMs?: number; readonly opId: string; readonly subject: string } {
    return { ...this.callOptions, opId: this.takeOpId(), subject: this.grant.subject };
  }

  /** The query as `schema` has it; parameters that it does not know are refused. */
  query<const S extends v.GenericSchema>(schema: S): v.InferOutput<S> {
    return check(schema, parseQuery(this.target.search), "query");
  }

  /** The JSON body as `schema` has it. An empty body counts as `whenEmpty`, if that is given. */
  async body<const S extends v.GenericSchema>(
    schema: S,
    options: { readonly maxBytes?: number; readonly whenEmpty?: unknown; readonly codes?: FieldCodes } = {},
  ): Promise<v.InferOutput<S>> {
    const body = await readJson(this.request, options.maxBytes ?? maxControlBytes);
    return check(schema, body === undefined ? options.whenEmpty : body, "body", options.codes);
  }
}

const none: { readonly timeoutMs?: number } = {};
