import { WarpError } from "../errors.ts";

/**
 * A place in one shard's log. Positions of one shard compare by revision while the epoch is the same; a changed epoch means that the
 * shard lost or restored its storage and that nothing known before counts.
 */
export interface Position {
  readonly shard: number;
  readonly epoch: string;
  /** 0 before the first entry. */
  readonly revision: number;
}

/** A cursor: `epoch.revision` of one shard. */
export function formatCursor(position: { readonly epoch: string; readonly revision: number }): string {
  return `${position.epoch}.${position.revision}`;
}

const cursorForm = /^([0-9a-f]{16})\.(0|[1-9][0-9]{0,15})$/;

/** Parses `epoch.revision`. Throws `invalid_cursor`. */
export function parseCursor(text: string): { readonly epoch: string; readonly revision: number } {
  const match = cursorForm.exec(text);
  const epoch = match?.[1];
  const revision = Number(match?.[2]);
  if (epoch === undefined || !Number.isSafeInteger(revision)) {
    throw new WarpError(
      "invalid_cursor",
      "a cursor is 16 hex digits, a dot and a revision, as an answer gave it",
    );
  }
  return { epoch, revision };
}

/**
 * The entity tag of a key's version, without quotes. The epoch is in it, so that a tag from before a lost or restored storage
 * never matches (RFC 9110, section 8.8.3).
 */
export function formatETag(epoch: string, version: number): string {
  return `${epoch}.${version}`;
}
