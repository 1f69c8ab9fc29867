import type { ClientFrame } from "../../protocol/wire/frames.ts";
import { authProtocol, readOffer } from "../../protocol/wire/subprotocols.ts";
import { fromBase64Url, fromUtf8, utf8 } from "../../runtime/bytes.ts";
import { fingerprint } from "../../runtime/hash.ts";

/**
 * The name of the group that a socket may be shared in: tabs that ask for the same address under the same rights. Tokens of one subject with the same spaces, prefixes and verbs have the same
 * rights, whenever they end; what is no signed token has only itself.
 */
export function groupName(url: string, protocols: readonly string[]): string {
  const { token } = readOffer(protocols.join(","));
  return `warp:${fingerprint(utf8(`${url}\n${token === undefined ? "" : rightsOf(token)}`))}`;
}

/** Whether a frame for the socket of a group brings a token that belongs into another one. */
export function bringsOtherRights(data: string, url: string, group: string): boolean {
  if (!data.includes('"auth"')) return false;
  const frame = JSON.parse(data) as ClientFrame;
  return frame.t === "auth" && groupName(url, [authProtocol(frame.token)]) !== group;
}

function rightsOf(token: string): string {
  try {
    const bytes = fromBase64Url(token.split(".")[1] ?? "");
    const {
      exp: _,
      iat: __,
      nbf: ___,
      jti: ____,
      ...rights
    } = JSON.parse(fromUtf8(bytes ?? new Uint8Array())) as Record<string, unknown>;
    return JSON.stringify(Object.entries(rights).sort(([a], [b]) => (a < b ? -1 : 1)));
  } catch {
    return token;
  }
}
