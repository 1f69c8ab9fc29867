import { WarpError } from "../../errors.ts";
import { envelopeBody, envelopeMark, readStored } from "../../upstash/envelope.ts";
import type { BackingChange, BackingEntry, BackingPosition } from "../backing.ts";

/** A position as it is stored; empty: none. */
export function positionText(position: BackingPosition | null): string {
  return position === null ? "" : `${position.epoch};${position.revision};${position.seq}`;
}

/** Throws `decode_failed`. */
export function readPosition(text: string): BackingPosition | null {
  if (text === "") return null;
  const [, epoch, revision, seq] = /^([^;]{1,64});([0-9]{1,16});([0-9]{1,16})$/.exec(text) ?? [];
  if (epoch === undefined) {
    throw new WarpError("decode_failed", "the position of a shard has no form that can be read");
  }
  return { epoch, revision: Number(revision), seq: Number(seq) };
}

/** A value as it is stored, the same form that an adapter writes. */
export function formOf(change: Extract<BackingChange, { kind: "put" }>, epoch: string): string {
  const { version, payload, tags, modifiedAtMs, expiresAtMs } = change;
  const ends = expiresAtMs === undefined ? "" : Math.ceil(expiresAtMs);
  const body = envelopeBody(payload, tags);
  return `${envelopeMark}${epoch};${version};${Math.floor(modifiedAtMs)};${ends};${body}`;
}

/** What was read; null: absent, or its life has ended. `leftMs`: of a value of others, empty where it has no end. Throws `decode_failed` that names the key. */
export function entryOf(key: string, form: string, leftMs: string, nowMs: number): BackingEntry | null {
  if (form === "") return null;
  const { epoch, version, modifiedAtMs, endsAtMs, tags, payload } = readForm(key, form);
  // Only where sizes were asked for is there no value.
  if (payload === undefined) return null;
  if (epoch === "") {
    return { key, payload, ...(leftMs === "" ? {} : { expiresAtMs: Math.floor(nowMs) + Number(leftMs) }) };
  }
  if (endsAtMs !== undefined && endsAtMs <= nowMs) return null;
  return {
    key,
    payload,
    ...(tags === undefined ? {} : { tags }),
    modifiedAtMs,
    ...(endsAtMs === undefined ? {} : { expiresAtMs: endsAtMs }),
    stamp: { epoch, version },
  };
}

function readForm(key: string, form: string): ReturnType<typeof readStored> {
  try {
    return readStored(form, "");
  } catch (cause) {
    if (!(cause instanceof WarpError)) throw cause;
    throw new WarpError(cause.code, cause.message, { details: { key } });
  }
}
