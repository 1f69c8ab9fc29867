/** A value as Warp keeps it: bytes and what they are. Never mutated once it is handed over. */
export interface Payload {
  readonly bytes: Uint8Array;
  /** A media type, at most 255 characters, e.g. `application/json`. */
  readonly contentType: string;
}
