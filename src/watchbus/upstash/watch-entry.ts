import { WarpError } from "../../errors.ts";
import type { Payload } from "../../protocol/payload.ts";
import type { Publication, WatchKind } from "../../protocol/watch.ts";
import { fromBase64, toBase64 } from "../../runtime/bytes.ts";
import { maxLogValueBytes } from "../../runtime/limits.ts";
import { maxToldBytes } from "../../runtime/upstash-limits.ts";
import { textOf } from "../../upstash/reply.ts";
import type { FoundEvent } from "../events.ts";

/** What a node has changed in a storage that tells nobody. */
export type WatchChange =
  | {
      readonly kind: "set";
      readonly key: string;
      readonly payload: Payload;
      /** The storage's own. Default: the revision that the change gets here. */
      readonly version?: number;
    }
  | { readonly kind: "delete" | "expire"; readonly key: string };

/** A place in the stream: `revision-seq`. What has a seq above 0 is told and not kept. */
export interface StreamPlace {
  readonly revision: number;
  readonly seq: number;
}

/** An entry as it was read. */
export interface WatchEntry extends StreamPlace {
  /** Of this life of the stream. */
  readonly epoch: string;
  /** Unique: that it is the very one that was read before. */
  readonly id: string;
  /** Undefined: what it tells can't be read. */
  readonly events: readonly FoundEvent[] | undefined;
}

const letters = { set: "s", delete: "d", expire: "x", publish: "p", publishPrefix: "q" } as const;
const kinds = new Map<unknown, WatchKind>(
  Object.entries(letters).map(([kind, letter]) => [letter, kind as WatchKind]),
);

/** The content of an entry: changes that were made together. Values above 16 KiB, and those beyond 1 MiB in all, are left out. */
export function changesText(changes: readonly WatchChange[]): string {
  let bytes = 0;
  return JSON.stringify(
    changes.map((change) => {
      const name = [letters[change.kind], change.key];
      if (change.kind !== "set") return name;
      const { payload, version = 0 } = change;
      const size = payload.bytes.length;
      if (size > maxLogValueBytes || bytes + size > maxToldBytes) return [...name, version];
      bytes += size;
      return [...name, version, payload.contentType, toBase64(payload.bytes)];
    }),
  );
}

/** The content of an entry: a publication. */
export function publicationText({ target, payload }: Publication): string {
  const name = "key" in target ? [letters.publish, target.key] : [letters.publishPrefix, target.prefix];
  return JSON.stringify([[...name, 0, payload.contentType, toBase64(payload.bytes)]]);
}

/** Reads an entry, as Redis gave it. */
export function readWatchEntry(place: string, fields: readonly unknown[]): WatchEntry {
  const { revision, seq } = readPlace(place);
  const [, epoch, , id, , text] = fields;
  const of = (value: unknown): string => (typeof value === "string" ? value : "");
  const entry = { revision, seq, epoch: of(epoch), id: of(id) };
  try {
    return { ...entry, events: readEvents(JSON.parse(textOf(of(text))), revision) };
  } catch {
    // The watch says that something is missing here.
    return { ...entry, events: undefined };
  }
}

/** Throws `unavailable` for what Redis would never give. */
export function readPlace(place: string): StreamPlace {
  const [, revision, seq] = /^([0-9]{1,16})-([0-9]{1,16})$/.exec(place) ?? [];
  if (revision === undefined || seq === undefined) {
    throw new WarpError("unavailable", "the stream has a place of another form", { retryable: false });
  }
  return { revision: Number(revision), seq: Number(seq) };
}

/** Whether one place comes after another. */
export function isBehind(one: StreamPlace, other: StreamPlace): boolean {
  return one.revision > other.revision || (one.revision === other.revision && one.seq > other.seq);
}

function readEvents(list: unknown, revision: number): readonly FoundEvent[] {
  if (!Array.isArray(list)) throw new Error();
  return list.map((item: unknown) => {
    if (!Array.isArray(item)) throw new Error();
    const [letter, key, version, contentType, base64] = item as readonly unknown[];
    const kind = kinds.get(letter);
    if (kind === undefined || typeof key !== "string") throw new Error();
    const told = typeof version === "number" && version > 0 ? version : revision;
    const found = { kind, key, revision, version: kind === "set" ? told : 0 };
    if (typeof contentType !== "string" || typeof base64 !== "string") return found;
    return { ...found, payload: { bytes: fromBase64(base64), contentType } };
  });
}
