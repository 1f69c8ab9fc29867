import type { HistoryPolicy, RegistrationSettings } from "../../protocol/registration.ts";
import type { VersionReply, VersionRequest } from "../../protocol/shard-api.ts";
import {
  type ChainLink,
  checkHistoryPage,
  checkWhich,
  coverageMoves,
  linkDueMs,
  linksBeyond,
  versionCompacted,
} from "../../protocol/versions.ts";
import type { KeptVersion, Payload } from "../adapter.ts";

/** A version as the storage holds it. */
export interface Version extends KeptVersion {
  readonly payload?: Payload;
}

/** The mark of since when a key was absent, before its first version: see {@link ChainLink}. */
type Link = Version | (ChainLink & { readonly kind: "absent" });

/** What a history asks the storage about. */
export interface MemoryHistoryParts {
  readonly policy: (key: string) => HistoryPolicy | undefined;
  /** The present value of a key; undefined: absent. */
  readonly present: (key: string) => Version | undefined;
  /** The newest revision. */
  readonly head: () => number;
}

/** The kept versions of an in-process storage: for each key under a policy the chain of its versions, the present one last. */
export class MemoryHistory {
  readonly #parts: MemoryHistoryParts;
  readonly #chains = new Map<string, Link[]>();
  /** Since when every version under the present policies was kept: before it, a key without a chain may have existed. */
  #sinceMs: number;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(parts: MemoryHistoryParts, nowMs: number) {
    this.#parts = parts;
    this.#sinceMs = nowMs;
  }

  /** Notes a new version of a key that was `before`. */
  add(key: string, before: Version | undefined, version: Version): void {
    const policy = this.#parts.policy(key);
    if (policy === undefined) {
      this.#chains.delete(key);
      return;
    }
    let chain = this.#chains.get(key);
    if (chain === undefined) {
      const atMs = this.#knownMs(policy, version.atMs);
      chain = before !== undefined ? [before] : atMs < version.atMs ? [{ kind: "absent", atMs }] : [];
      this.#chains.set(key, chain);
    }
    chain.push(version);
    this.#trim(key, chain, version.atMs);
  }

  /** A pattern's registration has changed: chains follow their new policies at once. */
  registered(
    before: RegistrationSettings | undefined,
    after: RegistrationSettings | undefined,
    nowMs: number,
  ): void {
    if (coverageMoves(before, after)) this.#sinceMs = nowMs;
    this.#tidy(nowMs);
  }

  /** Lets go of what is too old by now; cheap while nothing is. */
  expire(nowMs: number): void {
    if (this.#dueMs <= nowMs) this.#tidy(nowMs);
  }

  /** Throws `invalid_version`, `version_compacted`. */
  read(key: string, which: VersionRequest["which"], nowMs: number): VersionReply["found"] {
    const head = this.#parts.head();
    checkWhich(which, head, nowMs);
    const links = this.#links(key);
    const floor = this.floor(key);
    if ("version" in which) {
      const found = links.find((link) => link.kind !== "absent" && link.version === which.version);
      if (found !== undefined && found.kind !== "absent") return found;
      if (which.version < floor) throw versionCompacted(floor);
      return null;
    }
    const then = links.findLast((link) => link.atMs <= which.atMs);
    if (then !== undefined) return then.kind === "set" ? then : null;
    const policy = this.#parts.policy(key);
    const knownMs = policy === undefined ? nowMs : this.#knownMs(policy, nowMs);
    if (links.length === 0 && which.atMs >= knownMs) return null;
    throw versionCompacted(floor);
  }

  /** A page, newest first. Throws `invalid_limit`, `invalid_version`. */
  page(
    key: string,
    before: number | undefined,
    limit: number,
  ): { readonly versions: readonly KeptVersion[]; readonly more: boolean; readonly floor: number } {
    checkHistoryPage({ limit, ...(before === undefined ? {} : { before }) });
    const all = versionsOf(this.#links(key))
      .filter(({ version }) => before === undefined || version < before)
      .toReversed();
    const versions = all.slice(0, limit).map(({ payload: _, ...version }) => version);
    return { versions, more: all.length > limit, floor: this.floor(key) };
  }

  /** The oldest version that is kept; where there is none, the one after the head. */
  floor(key: string): number {
    return versionsOf(this.#links(key))[0]?.version ?? this.#parts.head() + 1;
  }

  #links(key: string): readonly Link[] {
    const chain = this.#chains.get(key);
    if (chain !== undefined) return chain;
    const present = this.#parts.present(key);
    return present === undefined ? [] : [present];
  }

  #knownMs({ ageMs = Number.POSITIVE_INFINITY }: HistoryPolicy, nowMs: number): number {
    return Math.max(this.#sinceMs, nowMs - ageMs);
  }

  #tidy(nowMs: number): void {
    this.#dueMs = Number.POSITIVE_INFINITY;
    for (const [key, chain] of this.#chains) this.#trim(key, chain, nowMs);
  }

  #trim(key: string, chain: Link[], nowMs: number): void {
    const policy = this.#parts.policy(key);
    const gone = policy === undefined ? chain.length : linksBeyond(chain, chain.length, policy, nowMs);
    if (gone > 0) chain.splice(0, gone);
    if (chain.length === 0) this.#chains.delete(key);
    const dueMs = policy === undefined ? undefined : linkDueMs(chain, chain.length, policy);
    if (dueMs !== undefined && dueMs < this.#dueMs) this.#dueMs = dueMs;
  }
}

function versionsOf(links: readonly Link[]): readonly Version[] {
  return links.filter((link) => link.kind !== "absent");
}
