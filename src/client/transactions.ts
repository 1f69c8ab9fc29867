import type { ErrorData } from "../errors.ts";
import type { HttpClient } from "./http.ts";
import { queryText, resourcePath, spacePath } from "./path.ts";
import type { ValueRecord } from "./record.ts";

/** What one operation of a transaction did. */
export type OperationRecord =
  | {
      readonly op: "set" | "merge" | "delete";
      readonly key: string;
      readonly version: number;
      readonly etag?: string;
      readonly existed: boolean;
    }
  | ({
      readonly op: "get";
      readonly key: string;
      /** Absent with `omitted`. */
      readonly found?: boolean;
      readonly version?: number;
      readonly etag?: string;
      /** The value was too much for the answer, or is no longer known: read the key. */
      readonly omitted?: true;
    } & ValueRecord);

/** How a transaction ended. */
export interface TransactionRecord {
  /** Whether all comparisons held. */
  readonly succeeded: boolean;
  /** The version of all keys that were set or merged; 0: nothing changed. */
  readonly version: number;
  readonly revision: string;
  readonly opId: string;
  readonly replayed: boolean;
  /** As in a `KeyChange`. */
  readonly storage?: "pending";
  readonly results: readonly OperationRecord[];
}

/** Carries out a transaction: `body` as `docs/http.md` has it. Throws what the server refuses as a whole. */
export async function transact(
  client: HttpClient,
  space: string,
  body: unknown,
  opId = client.newOpId(),
): Promise<TransactionRecord> {
  return await client.json<TransactionRecord>({
    method: "POST",
    path: `${spacePath(space)}/txn`,
    json: body,
    opId,
  });
}

/** What became of an operation. */
export type OperationState =
  | { readonly opId: string; readonly state: "ok"; readonly version: number }
  | { readonly opId: string; readonly state: "fail"; readonly error: ErrorData }
  | { readonly opId: string; readonly state: "pending" | "unseen" | "sealed" };

/** Which operation is meant, and whether it is settled where it was not seen. */
export interface ResolveOptions {
  /** A key of it: only that shard is asked. */
  readonly key?: string;
  /** Its place in a batch that had the op id. */
  readonly index?: number;
  readonly seal?: boolean;
}

/** What became of an operation of one's own, by its op id. Throws `op_id_expired` and all else that the server refuses. */
export async function resolveOperation(
  client: HttpClient,
  space: string,
  opId: string,
  { key, index, seal = false }: ResolveOptions = {},
): Promise<OperationState> {
  const path = resourcePath(space, "operations", opId);
  if (!seal) return await client.json({ method: "GET", path: path + queryText({ key, index }) });
  return await client.json({ method: "POST", path: `${path}/seal`, json: { key, index }, mutation: true });
}
