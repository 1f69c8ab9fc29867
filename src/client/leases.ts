import type { ErrorData } from "../errors.ts";
import type { LeaseEndAction, LeaseInfo } from "../protocol/lease.ts";
import type { HttpClient } from "./http.ts";
import { queryText, resourcePath, spacePath } from "./path.ts";

/** A lease as its grant tells it. */
export interface GrantedLease {
  readonly id: string;
  readonly ttlMs: number;
  readonly remainingMs: number;
  readonly onEnd: LeaseEndAction;
  readonly maxLifeMs?: number;
  readonly opId: string;
  readonly replayed: boolean;
}

/** A page of a list; no cursor: the last. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}

/** Which page. */
export interface PageOptions {
  readonly limit?: number;
  readonly cursor?: string;
}

/** What became of one lease among several. */
export type KeptAlive =
  | { readonly id: string; readonly ok: true; readonly remainingMs: number }
  | { readonly id: string; readonly ok: false; readonly error: ErrorData };

/** Leases of a space, over HTTP. Every call throws what the server refuses, `lease_not_found` where there is no such lease any more. */
export class HttpLeases {
  readonly #client: HttpClient;
  readonly #space: string;

  constructor(client: HttpClient, space: string) {
    this.#client = client;
    this.#space = space;
  }

  #path(id: string, rest = ""): string {
    return resourcePath(this.#space, "leases", id) + rest;
  }

  async grant(
    options: { readonly ttlMs: number; readonly onEnd?: LeaseEndAction; readonly maxLifeMs?: number },
    opId = this.#client.newOpId(),
  ): Promise<GrantedLease> {
    const path = `${spacePath(this.#space)}/leases`;
    return await this.#client.json({ method: "POST", path, json: options, opId });
  }

  /** Gives what is left of its time, in ms. */
  async keepAlive(id: string, opId = this.#client.newOpId()): Promise<number> {
    const path = this.#path(id, "/keepalive");
    return (await this.#client.json<{ remainingMs: number }>({ method: "POST", path, opId })).remainingMs;
  }

  /** Up to 128 at once. */
  async keepManyAlive(ids: readonly string[], opId = this.#client.newOpId()): Promise<readonly KeptAlive[]> {
    const path = `${spacePath(this.#space)}/leases/keepalive`;
    const call = { method: "POST", path, json: { ids }, opId } as const;
    return (await this.#client.json<{ results: KeptAlive[] }>(call)).results;
  }

  async info(id: string): Promise<LeaseInfo> {
    return await this.#client.json({ method: "GET", path: this.#path(id) });
  }

  async list(options: PageOptions = {}): Promise<Page<LeaseInfo>> {
    const path = `${spacePath(this.#space)}/leases${queryText({ ...options })}`;
    return await this.#client.json({ method: "GET", path });
  }

  async keys(id: string, options: PageOptions = {}): Promise<Page<string>> {
    return await this.#client.json({
      method: "GET",
      path: this.#path(id, `/keys${queryText({ ...options })}`),
    });
  }

  /** Gives how many were not attached before. */
  async attach(id: string, keys: readonly string[], opId = this.#client.newOpId()): Promise<number> {
    return await this.#change("PUT", id, keys, opId);
  }

  /** Gives how many were attached. */
  async detach(id: string, keys: readonly string[], opId = this.#client.newOpId()): Promise<number> {
    return await this.#change("DELETE", id, keys, opId);
  }

  async #change(
    method: "PUT" | "DELETE",
    id: string,
    keys: readonly string[],
    opId: string,
  ): Promise<number> {
    const call = { method, path: this.#path(id, "/keys"), json: { keys }, opId };
    return (await this.#client.json<{ changed: number }>(call)).changed;
  }

  /** Ends it; resolves when every key of it is dealt with. An unknown outcome: repeat it with the same op id. */
  async revoke(id: string, opId = this.#client.newOpId()): Promise<void> {
    await this.#client.json({ method: "DELETE", path: this.#path(id), opId });
  }
}
