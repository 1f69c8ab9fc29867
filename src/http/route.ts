import type * as v from "valibot";
import type { Verb } from "../auth/grant.ts";
import { WarpError } from "../errors.ts";
import type { Call } from "./call.ts";
import { shown } from "./target.ts";

/**
 * Who may call: `public` asks for nothing, `caller` for any valid token, `space` for one that reaches into the space of the path (the route
 * itself then looks at verbs and keys), `socket` for the same or for a token that comes in the first frame, a verb for that verb in the space.
 */
export type Access = "public" | "caller" | "space" | "socket" | Verb;

/** Who may use a route. */
export interface Guarded {
  readonly access: Access;
  /** Whether a token for one use may stand in its query as `token`, for callers whose streams take no headers. */
  readonly takesQueryToken?: true;
}

/** One route: what it is called by, who may, what it takes, what it does. Described once; routing, checks and documents read it. */
export interface Route extends Guarded {
  readonly method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  /** `{name}` is one segment, `{name+}` everything that follows, slashes included. */
  readonly path: string;
  /** Parameters of the query; without it any parameter is refused. */
  readonly query?: v.GenericSchema;
  /** The JSON body. */
  readonly body?: v.GenericSchema;
  readonly run: (call: Call) => Response | Promise<Response>;
}

/** A route's work in a module of its own, which is loaded when the route is first called: what few callers use is no part of what each isolate starts with. */
export function later<M>(load: () => Promise<M>, pick: (module: M) => Route["run"]): Route["run"] {
  return async (call) => await pick(await load())(call);
}

/** Throws `invalid_argument` if there is any query: for routes that take none. */
export function refuseQuery(call: Call): void {
  const { search } = call.target;
  if (search === "") return;
  throw new WarpError(
    "invalid_argument",
    `the query has an unknown parameter ${shown(search.split(/[=&]/, 1)[0] ?? "")}; this route takes none`,
  );
}

/** Headers of every JSON answer. */
export const jsonHeaders = { "Content-Type": "application/json", "Cache-Control": "no-store" } as const;

/** A JSON answer of JSON text. It ends in a newline, so that a shell's prompt stands on a line of its own. */
export function jsonText(text: string): Response {
  return new Response(`${text}\n`, { headers: jsonHeaders });
}

/** A JSON answer. */
export function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(`${JSON.stringify(value)}\n`, { status, headers: { ...jsonHeaders, ...headers } });
}

/** Headers of every streamed NDJSON answer. */
export const ndjsonHeaders = {
  "Content-Type": "application/x-ndjson",
  "Cache-Control": "no-store",
  // A proxy that buffers would hold progress back.
  "X-Accel-Buffering": "no",
} as const;
