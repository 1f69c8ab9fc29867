import { closeCodes } from "../protocol/wire/frames.ts";
import { readOffer } from "../protocol/wire/subprotocols.ts";

/** How long it may take to learn why a socket could not be opened, in ms. */
const whyTimeoutMs = 5_000;

/** Why a socket was refused: hosts do not tell, so it is asked again as a plain request, whose answer has a code. Code 1006: that can't be learned. */
export async function whyRefused(
  url: string,
  protocols: readonly string[],
): Promise<{ readonly code: number; readonly reason: string }> {
  const { token } = readOffer(protocols.join(","));
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  try {
    const signal = AbortSignal.timeout(whyTimeoutMs);
    const response = await fetch(url.replace(/^ws/, "http"), { headers, signal });
    return closeOf(response.status, await response.json());
  } catch {
    // It can't be reached this way either.
    return closeOf(0, undefined);
  }
}

function closeOf(status: number, problem: unknown): { readonly code: number; readonly reason: string } {
  const { code, details } = (problem ?? {}) as {
    readonly code?: unknown;
    readonly details?: { readonly field?: unknown };
  };
  const reason = typeof code === "string" ? code : "";
  if (status === 401 || status === 403) return { code: closeCodes.unauthorized, reason };
  if (status === 404) return { code: closeCodes.spaceGone, reason };
  // The space has fewer shards now than it had.
  if (status === 400 && details?.field === "shard")
    return { code: closeCodes.spaceGone, reason: "space_not_found" };
  return status === 429 || status === 503
    ? { code: closeCodes.overloaded, reason }
    : { code: 1006, reason: "" };
}
