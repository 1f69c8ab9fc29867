import { wireProtocols } from "./frames.ts";

/**
 * The subprotocol item that carries a token, for hosts whose sockets take no headers. What may not stand in one is percent-encoded, so that any
 * secret passes; a signed token stays as it is.
 */
export function authProtocol(token: string): string {
  const encoded = encodeURIComponent(token).replace(/[()]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
  return `${wireProtocols.auth}${encoded}`;
}

/** What a client offers in `Sec-WebSocket-Protocol`. */
export interface Offer {
  /** How frames are to be written: the first of the subprotocols that we know; undefined: none. */
  readonly codec: "json" | "msgpack" | undefined;
  /** The token in it; undefined: none that can be read. */
  readonly token: string | undefined;
}

export function readOffer(header: string | null): Offer {
  const items = (header ?? "").split(",").map((item) => item.trim());
  const auth = items.find((item) => item.startsWith(wireProtocols.auth));
  return {
    codec: items.map(codecOf).find((codec) => codec !== undefined),
    token: auth === undefined ? undefined : decoded(auth.slice(wireProtocols.auth.length)),
  };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function codecOf(item: string): Offer["codec"] {
  return item === wireProtocols.json ? "json" : item === wireProtocols.msgpack ? "msgpack" : undefined;
}
