import { requireKey } from "../../auth/grant.ts";
import type { Lookup, MutationResult } from "../../core/types.ts";
import type { ErrorCode } from "../../errors.ts";
import { checkKey } from "../../protocol/key.ts";
import type { Payload } from "../../protocol/payload.ts";
import { payloadCodec } from "../../runtime/codec.ts";
import { leaseOf } from "../attached.ts";
import { readBody } from "../body.ts";
import type { Call } from "../call.ts";
import { mutationCondition, readCondition } from "../conditions.ts";
import { checkContentType } from "../content-type.ts";
import { fenceOf } from "../fence.ts";
import { problemResponse } from "../problem.ts";
import { remaining } from "../record.ts";
import { jsonHeaders, type Route } from "../route.ts";
import { getKeyQuery, mergeKeyQuery, putKeyQuery } from "../schemas/keys.ts";
import { decodeKey } from "../target.ts";
import { bytesHeaders, getKept } from "./kept.ts";

/** The key in the path: everything after the resource's name, decoded once. */
export function keyOf(call: Call): string {
  const key = decodeKey(call.rest, "key");
  checkKey(key);
  requireKey(call.grant, key, "key");
  return key;
}

/** Where in its history a key stands; what is provisional has no place there yet. */
function positionHeaders(answer: Pick<MutationResult, "version" | "cursor" | "provisional">): object {
  if (answer.provisional === true) return { "Warp-Provisional": "true" };
  return { "Warp-Version": String(answer.version), "Warp-Revision": answer.cursor };
}

/** What every answer about a key says. */
function keyHeaders(answer: Lookup<Payload>): Record<string, string> {
  const headers: Record<string, string> = {
    ...positionHeaders(answer),
    "Warp-Cache": answer.cache,
    "Cache-Control": "private, no-cache",
  };
  if (answer.value !== undefined) {
    if (answer.provisional !== true) headers.ETag = `"${answer.etag}"`;
    // The age of a copy is told where it matters; on the hot path each header costs.
    if (answer.stale) headers.Age = String(Math.floor(answer.ageMs / 1_000));
    const expiresInMs = remaining(answer.expiresInMs);
    if (expiresInMs !== undefined) headers["Warp-Expires-In-Ms"] = String(expiresInMs);
  }
  return headers;
}

function refusal(call: Call, answer: Lookup<Payload>, code: ErrorCode, message: string): Response {
  const response = problemResponse({ code, message, outcome: "fail", retryable: false }, call.requestId);
  const headers = keyHeaders(answer);
  headers["Cache-Control"] = "no-store";
  for (const name in headers) response.headers.set(name, headers[name] ?? "");
  return response;
}

async function getKey(call: Call): Promise<Response> {
  const key = keyOf(call);
  const query = call.target.search === "" ? undefined : call.query(getKeyQuery);
  if (query?.version !== undefined || query?.at !== undefined) return await getKept(call, key, query);
  const allowStale = query?.allowStale === undefined ? {} : { allowStale: query.allowStale };
  const answer = await call.warp.lookup(key, { ...call.callOptions, ...allowStale, codec: payloadCodec });
  const { headers: sent } = call.request;
  const match = sent.get("If-Match");
  const noneMatch = sent.get("If-None-Match");
  if (match !== null || noneMatch !== null) {
    const verdict = readCondition(match, noneMatch, answer.value === undefined ? undefined : answer.etag);
    if (verdict === "failed") {
      return refusal(call, answer, "precondition_failed", "the key has none of the tags in If-Match");
    }
    if (verdict === "not modified") return new Response(null, { status: 304, headers: keyHeaders(answer) });
  }
  if (answer.value === undefined) return refusal(call, answer, "not_found", "the key does not exist");
  const headers = keyHeaders(answer);
  const { bytes, contentType } = answer.value;
  Object.assign(headers, bytesHeaders(contentType));
  call.stamp(headers);
  if (call.request.method !== "HEAD") return new Response(bytes as Uint8Array<ArrayBuffer>, { headers });
  headers["Content-Length"] = String(bytes.byteLength);
  return new Response(null, { headers });
}

/** The answer about a mutation of one key, `created` when it made the key. */
export function mutated(call: Call, result: MutationResult, status: number, extra: object): Response {
  const { provisional } = result;
  const headers: Record<string, string> = {
    ...jsonHeaders,
    ...positionHeaders(result),
    "Warp-Cache": "bypass",
  };
  if (provisional === true) {
    const { key, opId, version } = result;
    const taken = JSON.stringify({ key, version, opId, provisional });
    return new Response(`${taken}\n`, { status: 202, headers: call.stamp(headers) });
  }
  if (result.etag !== undefined) headers.ETag = `"${result.etag}"`;
  if (result.replayed) headers["Warp-Replayed"] = "true";
  const { key, opId, version, etag, cursor, replayed, storage } = result;
  if (storage !== undefined) headers["Warp-Storage"] = storage;
  const body = JSON.stringify({ key, version, etag, revision: cursor, opId, replayed, storage, ...extra });
  return new Response(`${body}\n`, { status, headers: call.stamp(headers) });
}

interface Written {
  readonly expiresInMs?: number | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly lease?: string | undefined;
  readonly replace?: boolean | undefined;
}

/** The options of a write: from its headers, and what its query says. */
function writeOptions(call: Call, queried: () => Written) {
  // First, so that whatever is wrong with the rest is answered with the op id.
  const options = call.mutationOptions();
  const { expiresInMs, tags, lease, replace } = call.target.search === "" ? {} : queried();
  const when = mutationCondition(call.request.headers);
  return {
    ...options,
    codec: payloadCodec,
    ...(expiresInMs === undefined ? {} : { expiresInMs }),
    ...(tags === undefined ? {} : { tags }),
    ...(when === undefined ? {} : { when }),
    ...fenceOf(call.request.headers, call.grant),
    ...leaseOf(lease, call.grant),
    ...(replace === undefined ? {} : { replace }),
  };
}

/** The body as bytes, at most `maxBytes`, with their content type. */
export async function payloadOf(call: Call, maxBytes: number): Promise<Payload> {
  const contentType = checkContentType(
    call.request.headers.get("Content-Type") ?? "application/octet-stream",
  );
  const bytes = await readBody(call.request, maxBytes, "value_too_large");
  return { bytes, contentType };
}

function storedOf(call: Call): Promise<Payload> {
  return payloadOf(call, call.deployment.config.maxValueBytes);
}

async function putKey(call: Call): Promise<Response> {
  const key = keyOf(call);
  const options = writeOptions(call, () => call.query(putKeyQuery));
  const result = await call.warp.set<Payload>(key, await storedOf(call), options);
  return mutated(call, result, result.existed ? 200 : 201, { created: !result.existed });
}

async function mergeKey(call: Call): Promise<Response> {
  const key = keyOf(call);
  const options = writeOptions(call, () => call.query(mergeKeyQuery));
  const result = await call.warp.merge<Payload>(key, await storedOf(call), options);
  return mutated(call, result, result.existed ? 200 : 201, { created: !result.existed });
}

async function deleteKey(call: Call): Promise<Response> {
  const key = keyOf(call);
  const options = call.mutationOptions();
  const when = mutationCondition(call.request.headers);
  const guard = fenceOf(call.request.headers, call.grant);
  const result = await call.warp.delete(key, {
    ...options,
    ...(when === undefined ? {} : { when }),
    ...guard,
  });
  return mutated(call, result, 200, { existed: result.existed });
}

/** One key: read, write, merge, delete. */
export const keyRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/{space}/keys/{key+}",
    access: "read",
    query: getKeyQuery,
    run: getKey,
  },
  {
    method: "PUT",
    path: "/v1/{space}/keys/{key+}",
    access: "write",
    query: putKeyQuery,
    run: putKey,
  },
  {
    method: "POST",
    path: "/v1/{space}/keys/{key+}",
    access: "write",
    query: mergeKeyQuery,
    run: mergeKey,
  },
  {
    method: "DELETE",
    path: "/v1/{space}/keys/{key+}",
    access: "delete",
    run: deleteKey,
  },
];
