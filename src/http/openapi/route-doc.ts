import type * as v from "valibot";
import type { ErrorCode } from "../../errors.ts";

/** Headings of the reference, in its order. */
export const groups = [
  "Keys",
  "Versions",
  "Many keys",
  "Transactions",
  "Caches",
  "Locks",
  "Elections",
  "Leases",
  "Registrations",
  "Spaces",
  "Watching",
  "Sockets",
  "Tokens",
  "Operations",
] as const;

/** A call that a reader can copy, and what it answers. */
export interface RouteExample {
  /** With its query, percent-encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON where it is an object, else the bytes themselves. */
  readonly body?: string | object;
  /** The status it gives if calls of the same page ran before it; default: the first of `gives`. */
  readonly answer?: object | string;
}

/** What a reference says of a route beyond what its checks say by themselves. */
export interface RouteDoc {
  readonly group: (typeof groups)[number];
  /** What it does, in sentences; `code` in backquotes. */
  readonly text: string;
  /** The body as a whole, where the route checks it item by item. */
  readonly body?: v.GenericSchema;
  /** What the body is, where no schema says it. */
  readonly takes?: "bytes" | "ndjson";
  /** What a success is. */
  readonly gives: "json" | "bytes" | "ndjson" | "events" | "html" | "none";
  /** Statuses of success and of conditions, each with its meaning. The first is the usual one. */
  readonly statuses: Readonly<Record<number, string>>;
  /** Request headers beyond those of every call. `Warp-Op-Id` stands for a mutation. */
  readonly headers?: readonly ("If-Match" | "If-None-Match" | "Warp-Fence" | "Warp-Op-Id" | "Content-Type")[];
  /** Codes of its own, beyond those that follow from its checks. */
  readonly problems: readonly ErrorCode[];
  readonly example: RouteExample;
}
