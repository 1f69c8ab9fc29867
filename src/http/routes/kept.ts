import type { KeptEntry, VersionEntry } from "../../core/types.ts";
import { type ErrorCode, WarpError } from "../../errors.ts";
import type { Payload } from "../../protocol/payload.ts";
import { payloadCodec } from "../../runtime/codec.ts";
import type { Call } from "../call.ts";
import { readCondition } from "../conditions.ts";
import { isContentType } from "../content-type.ts";
import { problemResponse } from "../problem.ts";

/** What every answer with a value's bytes says of them. */
export function bytesHeaders(contentType: string): Record<string, string> {
  return {
    // A value written through a library may claim to be anything; a header can't carry that.
    "Content-Type": isContentType(contentType) ? contentType : "application/octet-stream",
    // A stored page must not run as a page of this origin.
    "Content-Security-Policy": "default-src 'none'; sandbox",
  };
}

/** The kept version that the query names. */
async function found(
  call: Call,
  key: string,
  query: { readonly version?: number | undefined; readonly at?: number | undefined },
): Promise<VersionEntry<Payload> | KeptEntry<Payload> | undefined> {
  const options = { ...call.callOptions, codec: payloadCodec };
  return query.version === undefined
    ? await call.warp.getAt(key, query.at ?? 0, options)
    : await call.warp.getVersion(key, query.version, options);
}

/** The answer to a read of the past: like one of the present, but always from the authority and without a log position. */
export async function getKept(
  call: Call,
  key: string,
  query: {
    readonly version?: number | undefined;
    readonly at?: number | undefined;
    readonly allowStale?: boolean | undefined;
  },
): Promise<Response> {
  if ((query.version !== undefined && query.at !== undefined) || query.allowStale !== undefined) {
    throw new WarpError("invalid_argument", 'name only one of "version", "at" and "allowStale"');
  }
  const kept = await found(call, key, query);
  const headers: Record<string, string> = {
    "Warp-Version": String(kept?.version ?? 0),
    "Warp-Cache": "bypass",
    "Cache-Control": "private, no-cache",
  };
  if (kept?.value !== undefined) headers.ETag = `"${kept.etag}"`;
  const sent = call.request.headers;
  const etag = kept?.value === undefined ? undefined : kept.etag;
  const verdict = readCondition(sent.get("If-Match"), sent.get("If-None-Match"), etag);
  if (verdict === "failed") {
    return refusal(call, headers, "precondition_failed", "the version has none of the tags in If-Match");
  }
  if (verdict === "not modified") return new Response(null, { status: 304, headers });
  if (kept?.value === undefined) {
    const why =
      kept === undefined ? "the key did not exist then" : `this version is the key's ${ends[kept.kind]}`;
    return refusal(call, headers, "not_found", why);
  }
  const { bytes, contentType } = kept.value;
  Object.assign(headers, bytesHeaders(contentType));
  if (call.request.method !== "HEAD") return new Response(bytes as Uint8Array<ArrayBuffer>, { headers });
  headers["Content-Length"] = String(bytes.byteLength);
  return new Response(null, { headers });
}

const ends = { set: "value", delete: "deletion", expire: "expiry" } as const;

function refusal(
  call: Call,
  headers: Readonly<Record<string, string>>,
  code: ErrorCode,
  message: string,
): Response {
  const response = problemResponse({ code, message, outcome: "fail", retryable: false }, call.requestId);
  for (const name in headers) if (name !== "Cache-Control") response.headers.set(name, headers[name] ?? "");
  return response;
}
