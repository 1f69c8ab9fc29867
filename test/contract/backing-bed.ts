import type {
  Backing,
  BackingBatch,
  BackingChange,
  BackingEntry,
  BackingPosition,
  BackingSupports,
  BackingVerdict,
} from "../../src/backing/backing.ts";
import { WarpError } from "../../src/errors.ts";
import type { Payload } from "../../src/protocol/payload.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import type { ManualTime } from "../support/manual-time.ts";

/** What a driver is opened with. */
export interface OpenOptions {
  /** Default "test". */
  readonly space?: string;
  /** It takes batches of about 60 KiB only. */
  readonly small?: boolean;
}

/** One empty storage, the ways to it, and what others and the network do to it. */
export interface BackingBed {
  /** The clock of this side: lives are judged by it. */
  readonly time: ManualTime;
  open(options?: OpenOptions): Backing;
  /** Another program writes bytes as they are. */
  putPlain(key: string, bytes: Uint8Array): Promise<void>;
  /** Another program removes a key. */
  remove(key: string): Promise<void>;
  /** What is stored under a key of ours can't be read any more. */
  breakValue(key: string): Promise<void>;
  /** The next call is lost on its way there, or on its way back. */
  lose(when: "before" | "after"): Promise<void>;
  /** The next call is carried out, and answered so much later that nobody waits for it: 400 ms of the host's time at least. */
  hold(): Promise<void>;
  /** A call's time-out that is over before a held one's answer, and lets time pass until then. */
  readonly shortMs: number;
  pass(): void;
}

/** How the suite gets at a driver. */
export interface BackingUnderTest {
  readonly name: string;
  readonly supports: BackingSupports;
  run(work: (bed: BackingBed) => Promise<void>): Promise<void>;
}

export const epoch = "00000000000000aa";
export const otherEpoch = "00000000000000bb";

/** A place in a log. */
export function at(revision: number, seq = 0, ofEpoch = epoch): BackingPosition {
  return { epoch: ofEpoch, revision, seq };
}

export function put(
  revision: number,
  key: string,
  value: string | Uint8Array,
  extra: Partial<Extract<BackingChange, { kind: "put" }>> = {},
): BackingChange {
  const bytes = typeof value === "string" ? utf8(value) : value;
  const payload: Payload = { bytes, contentType: "text/plain" };
  return { kind: "put", key, revision, seq: 0, version: revision, payload, modifiedAtMs: 1_000, ...extra };
}

export function gone(revision: number, key: string, seq = 0): BackingChange {
  return { kind: "delete", key, revision, seq };
}

export function batch(after: BackingPosition, ...changes: readonly BackingChange[]): BackingBatch {
  return { shard: 0, after, changes };
}

/** A backing whose shard 0 is bound at the beginning of the log. */
export async function bound(bed: Pick<BackingBed, "open">, options?: OpenOptions): Promise<Backing> {
  const backing = bed.open(options);
  await backing.bind(0, null, at(0));
  return backing;
}

/** Carries changes out, from wherever the storage is. */
export async function carryOut(
  backing: Backing,
  ...changes: readonly BackingChange[]
): Promise<BackingVerdict> {
  const after = await backing.position(0);
  if (after === null) throw new Error("nobody bound it");
  return await backing.apply(batch(after, ...changes));
}

export async function one(backing: Backing, key: string): Promise<BackingEntry | null> {
  const [entry = null] = await backing.read([key]);
  return entry;
}

/** The text under a key; null: absent. */
export async function text(backing: Backing, key: string): Promise<string | null> {
  const entry = await one(backing, key);
  return entry === null ? null : fromUtf8(entry.payload.bytes);
}

/** All keys by scan, sorted, each once. */
export async function scanned(backing: Backing, limit = 1_000): Promise<string[]> {
  const keys = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await backing.scan({ limit, ...(cursor === undefined ? {} : { cursor }) });
    for (const key of page.keys) keys.add(key);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return [...keys].sort();
}

/** The WarpError that `work` ends in. */
export async function failure(work: Promise<unknown>): Promise<WarpError> {
  const error = await work.then(
    () => new Error("it did not fail"),
    (cause: unknown) => cause,
  );
  if (error instanceof WarpError) return error;
  throw error;
}
