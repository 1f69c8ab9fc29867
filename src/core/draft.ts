import type { Adapter, FenceGuard } from "../adapter/adapter.ts";
import { WarpError } from "../errors.ts";
import { checkGuard } from "../protocol/fence.ts";
import { checkKey, checkLeaseId } from "../protocol/key.ts";
import type { Payload } from "../protocol/payload.ts";
import { formatETag } from "../protocol/position.ts";
import { type Mutation, type Precondition, scopeOpId } from "../protocol/shard-api.ts";
import { utf8Length } from "../runtime/bytes.ts";
import { uuidv7, uuidv7Time } from "../runtime/ids.ts";
import { maxExpiresInMs, maxKeyBytes, maxTagBytes, maxTags, minExpiresInMs } from "../runtime/limits.ts";
import type { Parts } from "./parts.ts";
import { checkRange, type Policy } from "./policy.ts";
import type { MutationOptions } from "./types.ts";

/** A mutation about to be sent, and what the node has to do with its answer. */
export interface Draft {
  readonly mutation: Mutation;
  /** The op id as the caller knows it. */
  readonly opId: string;
  /** The key's policy; undefined for a prefix. */
  readonly settings: Policy | undefined;
  /** Whether a written value enters L1 also where no copy is held. */
  readonly fill: boolean;
}

/** Where the drafts of each shard stand. One about a prefix concerns all shards and stands for itself. */
export function placesByShard(
  drafts: readonly Draft[],
  adapter: Pick<Adapter, "shardOf">,
): readonly (readonly number[])[] {
  const groups = new Map<number | undefined, number[]>();
  for (const [at, { mutation }] of drafts.entries()) {
    const shard = "key" in mutation ? adapter.shardOf(mutation.key) : undefined;
    const places = groups.get(shard);
    if (places === undefined) groups.set(shard, [at]);
    else places.push(at);
  }
  return [...groups.values()];
}

/** What a caller wants done. */
export type Wish =
  | {
      readonly kind: "set";
      readonly key: string;
      readonly payload: Payload;
      readonly expiresInMs?: number | undefined;
      readonly tags?: readonly string[] | undefined;
      readonly when?: Precondition | undefined;
      readonly guard?: FenceGuard | undefined;
      readonly lease?: string | undefined;
      readonly replace?: boolean | undefined;
    }
  | {
      readonly kind: "merge";
      readonly key: string;
      readonly operand: Payload;
      readonly expiresInMs?: number | undefined;
      readonly tags?: readonly string[] | undefined;
      readonly when?: Precondition | undefined;
      readonly guard?: FenceGuard | undefined;
      readonly lease?: string | undefined;
    }
  | {
      readonly kind: "delete";
      readonly key: string;
      readonly when?: Precondition | undefined;
      readonly guard?: FenceGuard | undefined;
    }
  | { readonly kind: "invalidate"; readonly key: string }
  | { readonly kind: "invalidatePrefix"; readonly prefix: string }
  | { readonly kind: "invalidateTag"; readonly tag: string }
  | {
      readonly kind: "restore";
      readonly key: string;
      readonly version: number;
      readonly when?: Precondition | undefined;
      readonly guard?: FenceGuard | undefined;
    };

/** Op ids of one call: each mutation's own, or the call's with the place of the mutation. */
export class OpIds {
  readonly #subject: string;
  readonly callOpId: string;

  /** Throws `invalid_op_id`. */
  constructor(parts: Parts, options: MutationOptions | undefined) {
    if (options?.opId !== undefined) checkOpId(options.opId);
    this.#subject = options?.subject ?? parts.subject;
    this.callOpId = options?.opId ?? uuidv7(parts.clock, parts.random);
  }

  /** The id of the only mutation of a call. */
  single(): string {
    return scopeOpId(this.#subject, this.callOpId);
  }

  /** The id of the mutation at `index`, which may have one of its own. */
  at(index: number, own: string | undefined): string {
    if (own === undefined) return scopeOpId(this.#subject, this.callOpId, index);
    checkOpId(own);
    return scopeOpId(this.#subject, own);
  }
}

/** Throws `invalid_op_id` unless `opId` is a lower-case UUIDv7. */
export function checkOpId(opId: string): void {
  if (uuidv7Time(opId) === undefined) {
    throw new WarpError("invalid_op_id", "an op id is a lower-case UUIDv7");
  }
}

/** The mutation of a wish. Throws what is wrong with it. `scopedOpId`: see `scopeOpId`. */
export function toMutation(wish: Wish, scopedOpId: string): Mutation {
  if (wish.kind === "invalidatePrefix") {
    checkPrefix(wish.prefix);
    return { kind: "invalidatePrefix", opId: scopedOpId, prefix: wish.prefix };
  }
  if (wish.kind === "invalidateTag") {
    checkTags([wish.tag]);
    return { kind: "invalidateTag", opId: scopedOpId, tag: wish.tag };
  }
  checkKey(wish.key);
  if (wish.kind === "invalidate") return { kind: "invalidate", opId: scopedOpId, key: wish.key };
  const only = { ...(wish.when && { when: wish.when }), ...guardOf(wish.guard) };
  if (wish.kind === "delete") return { kind: "delete", opId: scopedOpId, key: wish.key, ...only };
  if (wish.kind === "restore") {
    checkRange("invalid_version", "version", wish.version, 1, Number.MAX_SAFE_INTEGER);
    return { kind: "restore", opId: scopedOpId, key: wish.key, version: wish.version, ...only };
  }
  const { key, expiresInMs } = wish;
  if (wish.tags !== undefined) checkTags(wish.tags);
  // An empty list is said, too: where the write is merged it takes away the tags that are there.
  const tags = wish.tags === undefined ? {} : { tags: [...new Set(wish.tags)] };
  if (expiresInMs !== undefined)
    checkRange("invalid_ttl", "expiresInMs", expiresInMs, minExpiresInMs, maxExpiresInMs);
  if (wish.lease !== undefined) checkLeaseId(wish.lease, "lease");
  const life = {
    ...(expiresInMs === undefined ? {} : { expiresInMs }),
    ...(wish.lease === undefined ? {} : { lease: wish.lease }),
  };
  if (wish.kind === "merge")
    return { kind: "merge", opId: scopedOpId, key, operand: wish.operand, ...life, ...tags, ...only };
  const replace = wish.replace === true ? ({ replace: true } as const) : {};
  return { kind: "set", opId: scopedOpId, key, payload: wish.payload, ...life, ...tags, ...only, ...replace };
}

/** A guard as a mutation has it. Throws `invalid_lock`, `invalid_argument`. */
function guardOf(guard: FenceGuard | undefined): { readonly guard?: FenceGuard } {
  if (guard === undefined) return {};
  const { lock, fence } = guard;
  checkGuard({ lock, fence });
  return { guard: { lock, fence } };
}

/** Throws `invalid_argument` unless these are at most 16 tags of 1 to 128 bytes. */
export function checkTags(tags: readonly string[]): void {
  const wrong = tags.some((tag) => tag === "" || !tag.isWellFormed() || utf8Length(tag) > maxTagBytes);
  if (!wrong && tags.length <= maxTags) return;
  throw new WarpError(
    "invalid_argument",
    `at most ${maxTags} tags, each of 1 to ${maxTagBytes} bytes of UTF-8`,
    {
      details: { field: "tags", max: maxTags, maxBytes: maxTagBytes },
    },
  );
}

/** Throws `invalid_key` for a prefix that no key can have; the empty one is every key's. */
export function checkPrefix(prefix: string): void {
  if (!prefix.isWellFormed() || utf8Length(prefix) > maxKeyBytes) {
    throw new WarpError("invalid_key", `a prefix has at most ${maxKeyBytes} bytes of UTF-8`);
  }
}

/** `ifVersion` as a precondition; `epoch` is the shard's, needed for versions above 0. */
export function versionCondition(ifVersion: number, epoch: string): Precondition {
  return ifVersion === 0 ? { noneOf: "*" } : { anyOf: [formatETag(epoch, ifVersion)] };
}

/** Throws `invalid_version`, or `invalid_argument` where both forms of a condition are given. */
export function checkCondition(
  options: { readonly ifVersion?: number; readonly when?: Precondition } | undefined,
): void {
  if (options?.ifVersion === undefined) return;
  checkRange("invalid_version", "ifVersion", options.ifVersion, 0, Number.MAX_SAFE_INTEGER);
  if (options.when !== undefined) {
    throw new WarpError("invalid_argument", "ifVersion and when can't stand together", {
      details: { field: "when" },
    });
  }
}
