/** The HTTP routes, as types: what each takes and answers. `docs/http.md` tells what they mean; a test holds this table to the routes, and to the examples of their reference. */

import type { StorageSettings } from "../../protocol/space.ts";
import type * as Answer from "./route-answers.ts";

type Values = {
  readonly json?: unknown;
  readonly text?: string;
  readonly base64?: string;
  readonly contentType?: string;
};
type Page = { readonly limit?: number; readonly cursor?: string };
type Written = { readonly expiresInMs?: number; readonly tags?: string; readonly lease?: string };
type Watched = {
  readonly key?: string;
  readonly prefix?: string;
  readonly mode?: "all" | "latest" | "keys";
  readonly ops?: string;
};
type Held = {
  readonly owner?: string;
  readonly fence?: number;
  readonly ticket?: string;
  readonly force?: boolean;
};
type Acquire = Values & {
  readonly owner?: string;
  readonly ttlMs?: number;
  readonly waitMs?: number;
  readonly holdMs?: number;
  readonly ticket?: string;
  readonly claim?: boolean;
  readonly delayMs?: number;
};
type Renew = { readonly owner: string; readonly fence: number; readonly ttlMs?: number };
/** Members of operations and policies: see the reference. */
type Open = Readonly<Record<string, unknown>>;

/** Every route but the two that do not end: `/connect` is what a client speaks, `/watch` what {@link WarpClient.watch} is better at. */
export interface HttpRoutes {
  "GET /v1/{space}/keys/{key}": {
    readonly query: {
      readonly version?: number;
      readonly at?: string | number;
      readonly allowStale?: boolean;
    };
    /** The value, by its content type. */
    readonly answer: unknown;
  };
  "PUT /v1/{space}/keys/{key}": {
    readonly query: Written & { readonly replace?: boolean };
    readonly body: unknown;
    readonly answer: Answer.WrittenKey;
  };
  "POST /v1/{space}/keys/{key}": {
    readonly query: Written;
    readonly body: unknown;
    readonly answer: Answer.WrittenKey;
  };
  "DELETE /v1/{space}/keys/{key}": { readonly answer: Answer.DeletedKey };
  "GET /v1/{space}/history/{key}": {
    readonly query: { readonly before?: number; readonly limit?: number };
    readonly answer: Answer.History;
  };
  "POST /v1/{space}/restore/{key}": {
    readonly body: { readonly version: number };
    readonly answer: Answer.RestoredKey;
  };
  "GET /v1/{space}/keys": {
    readonly query: Page & { readonly prefix?: string; readonly values?: boolean };
    readonly answer: Answer.KeyPage;
  };
  "POST /v1/{space}/batch": {
    readonly body: { readonly operations: readonly Open[] };
    readonly answer: { readonly results: readonly Answer.OperationResult[] };
  };
  "POST /v1/{space}/txn": {
    readonly body: {
      readonly compare?: readonly Open[];
      readonly success?: readonly Open[];
      readonly failure?: readonly Open[];
    };
    readonly answer: Answer.TransactionResult;
  };
  "GET /v1/{space}/operations/{operation}": {
    readonly query: { readonly key?: string; readonly index?: number };
    readonly answer: Answer.Operation;
  };
  "POST /v1/{space}/operations/{operation}/seal": {
    readonly body: { readonly key?: string; readonly index?: number };
    readonly answer: Answer.Operation;
  };
  "POST /v1/{space}/invalidate": {
    readonly body: {
      readonly keys?: readonly string[];
      readonly prefix?: string;
      readonly tags?: readonly string[];
      readonly scope?: "local" | "global";
    };
    readonly answer: { readonly scope: string; readonly opId: string; readonly revisions: readonly string[] };
  };
  "POST /v1/{space}/warmup": {
    readonly body: {
      readonly patterns?: readonly string[];
      readonly width?: number;
      readonly limit?: number;
    };
    readonly answer: readonly Open[];
  };
  "POST /v1/{space}/publish/{key}": {
    readonly query: { readonly prefix?: boolean; readonly retained?: boolean };
    readonly body: unknown;
    readonly answer: Open;
  };
  "GET /v1/{space}/changes": {
    readonly query: Watched & {
      readonly token?: string;
      readonly since?: string;
      readonly waitMs?: number;
      readonly limit?: number;
    };
    readonly answer: Answer.Changes;
  };
  /** The body is NDJSON, as bytes. */
  "POST /v1/{space}/import": { readonly body: Uint8Array; readonly answer: readonly Open[] };
  "GET /v1/{space}/export": {
    readonly query: { readonly prefix?: string };
    readonly answer: readonly Open[];
  };
  "POST /v1/{space}/locks/{name}": {
    readonly body: Acquire & { readonly kind?: string; readonly permits?: number; readonly take?: number };
    readonly answer: Answer.Grant;
  };
  "PATCH /v1/{space}/locks/{name}": { readonly body: Renew; readonly answer: Answer.Grant };
  "GET /v1/{space}/locks/{name}": {
    readonly query: { readonly owner?: string; readonly fence?: number };
    readonly answer: Answer.LockState;
  };
  "DELETE /v1/{space}/locks/{name}": { readonly query: Held; readonly answer: Answer.Released };
  "GET /v1/{space}/locks": {
    readonly query: Page & { readonly prefix?: string };
    readonly answer: { readonly items: readonly Answer.LockState[]; readonly cursor?: string };
  };
  "POST /v1/{space}/elections/{name}": { readonly body: Acquire; readonly answer: Answer.Grant };
  "PATCH /v1/{space}/elections/{name}": { readonly body: Renew & Values; readonly answer: Answer.Grant };
  "GET /v1/{space}/elections/{name}": {
    readonly query: { readonly after?: string; readonly waitMs?: number };
    readonly answer: Answer.ElectionState;
  };
  "DELETE /v1/{space}/elections/{name}": { readonly query: Held; readonly answer: Answer.Released };
  "POST /v1/{space}/leases": {
    readonly body: {
      readonly ttlMs: number;
      readonly onEnd?: "invalidate" | "delete";
      readonly maxLifeMs?: number;
    };
    readonly answer: Answer.GrantedLease;
  };
  "GET /v1/{space}/leases": {
    readonly query: Page;
    readonly answer: { readonly items: readonly Answer.LeaseState[]; readonly cursor?: string };
  };
  "POST /v1/{space}/leases/keepalive": {
    readonly body: { readonly ids: readonly string[] };
    readonly answer: {
      readonly results: readonly {
        readonly id: string;
        readonly ok: boolean;
        readonly remainingMs?: number;
        readonly error?: unknown;
      }[];
    };
  };
  "GET /v1/{space}/leases/{id}": { readonly answer: Answer.LeaseState };
  "DELETE /v1/{space}/leases/{id}": { readonly answer: Answer.OfLease & { readonly revoked: boolean } };
  "POST /v1/{space}/leases/{id}/keepalive": {
    readonly answer: Answer.OfLease & { readonly remainingMs: number };
  };
  "GET /v1/{space}/leases/{id}/keys": {
    readonly query: Page;
    readonly answer: { readonly items: readonly string[]; readonly cursor?: string };
  };
  "PUT /v1/{space}/leases/{id}/keys": {
    readonly body: { readonly keys: readonly string[] };
    readonly answer: Answer.OfLease & { readonly changed: number };
  };
  "DELETE /v1/{space}/leases/{id}/keys": {
    readonly body: { readonly keys: readonly string[] };
    readonly answer: Answer.OfLease & { readonly changed: number };
  };
  "GET /v1/{space}/registrations": {
    readonly answer: { readonly registrations: readonly Answer.Registration[] };
  };
  "GET /v1/{space}/registrations/{pattern}": { readonly answer: Answer.Registration };
  "PUT /v1/{space}/registrations/{pattern}": { readonly body: Open; readonly answer: Answer.Registration };
  "DELETE /v1/{space}/registrations/{pattern}": {
    readonly answer: { readonly pattern: string; readonly removed: boolean };
  };
  "GET /v1/{space}": { readonly answer: Answer.Space & { readonly usage: Open } };
  "PUT /v1/{space}": {
    readonly body: {
      readonly shards?: number;
      readonly strict?: boolean;
      readonly storage?: Omit<StorageSettings, "write"> & Partial<Pick<StorageSettings, "write">>;
      readonly fallback?: string;
    };
    readonly answer: Answer.Space & { readonly created: boolean };
  };
  "DELETE /v1/{space}": { readonly answer: { readonly name: string; readonly deleted: boolean } };
  "POST /tokens": {
    readonly body: {
      readonly subject: string;
      readonly spaces: readonly string[];
      readonly prefixes?: readonly string[];
      readonly verbs: readonly string[];
      readonly expiresInMs?: number;
      readonly use?: "once";
      readonly streamMs?: number;
    };
    readonly answer: { readonly token: string; readonly expiresAtMs: number } & Open;
  };
  "GET /metrics": { readonly answer: string };
  "GET /healthz": { readonly answer: { readonly status: string; readonly version: string } };
  "GET /readyz": { readonly answer: { readonly status: string; readonly open: boolean } };
  "GET /": { readonly answer: Open };
  "GET /errors": { readonly answer: unknown };
  "GET /openapi.json": { readonly answer: Open };
  "GET /docs": { readonly answer: string };
}

export type HttpRoute = keyof HttpRoutes;

/** The parameters in a route's path; the space is the client's own unless it says otherwise. */
type Names<R> = R extends `${string}{${infer Name}}${infer Rest}`
  ? Exclude<Name, "space"> | Names<Rest>
  : never;

/** What a call takes. */
export type HttpParameters<R extends HttpRoute> = {
  readonly headers?: Readonly<Record<string, string>>;
  readonly opId?: string;
  /** 1 to 120,000 ms. Default: the client's. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
} & ([Names<R>] extends [never]
  ? { readonly path?: { readonly space?: string } }
  : { readonly path: { readonly [Name in Names<R>]: string } & { readonly space?: string } }) &
  (HttpRoutes[R] extends { readonly query: infer Query }
    ? { readonly query?: Query }
    : { readonly query?: undefined }) &
  /** Bytes go as they are, all else as JSON. */
  (HttpRoutes[R] extends { readonly body: infer Body }
    ? { readonly body: Body }
    : { readonly body?: undefined });

/** Left out where a call needs nothing. */
export type HttpArguments<R extends HttpRoute> =
  Record<never, never> extends HttpParameters<R>
    ? readonly [parameters?: HttpParameters<R>]
    : readonly [parameters: HttpParameters<R>];

/** What a call answers. */
export interface HttpAnswers<R extends HttpRoute> {
  readonly status: number;
  /** A header; null: it is not there. */
  header(name: string): string | null;
  /** JSON parsed, NDJSON as a list, other text as text, all else as bytes. */
  readonly body: HttpRoutes[R]["answer"];
}
