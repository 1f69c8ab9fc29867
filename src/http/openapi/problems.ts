import { type ErrorCode, errorCodes } from "../../errors.ts";
import { problems } from "../problem.ts";
import type { Route } from "../route.ts";
import type { RouteDoc } from "./route-doc.ts";

/** Codes that follow from a parameter or member of this name. */
const byMember: Readonly<Record<string, readonly ErrorCode[]>> = {
  limit: ["invalid_limit"],
  cursor: ["invalid_cursor"],
  prefix: ["invalid_key"],
  keys: ["invalid_key"],
  version: ["invalid_version"],
  before: ["invalid_version"],
  expiresInMs: ["invalid_ttl"],
  ttlMs: ["invalid_ttl"],
  maxLifeMs: ["invalid_ttl"],
  owner: ["invalid_lock"],
  after: ["invalid_cursor"],
  since: ["invalid_cursor"],
  from: ["invalid_cursor"],
};

const everywhere: readonly ErrorCode[] = ["host_forbidden", "origin_forbidden", "internal"];
const withToken: readonly ErrorCode[] = [
  "deployment_closed",
  "token_missing",
  "token_invalid",
  "token_expired",
  "forbidden",
];
const withSpace: readonly ErrorCode[] = [
  "invalid_space",
  "invalid_encoding",
  "deadline_exceeded",
  "overloaded",
  "unavailable",
];

/** The codes that a route may answer with, in the order of the union. `members` are its parameters and the members of its body. */
export function problemsOf(route: Route, doc: RouteDoc, members: readonly string[]): ErrorCode[] {
  const found = new Set<ErrorCode>(["invalid_argument", ...doc.problems, ...everywhere]);
  const add = (codes: readonly ErrorCode[]): void => {
    for (const code of codes) found.add(code);
  };
  if (route.access !== "public") add(withToken);
  if (route.path.includes("{space}")) add(withSpace);
  if (route.path.includes("{key+}")) add(["invalid_key"]);
  if (route.path.includes("{name+}")) add(["invalid_lock"]);
  if (route.path.includes("{pattern+}")) add(["invalid_pattern"]);
  if (route.body !== undefined) add(["invalid_json", "unsupported_media_type", "body_too_large"]);
  if (doc.takes === "bytes") add(["value_too_large", "unsupported_media_type"]);
  if (doc.takes === "ndjson") add(["unsupported_media_type"]);
  if (doc.headers?.includes("Warp-Op-Id")) add(["invalid_op_id", "op_id_reused", "op_id_expired"]);
  if (doc.headers?.includes("If-Match")) add(["precondition_failed"]);
  for (const member of members) add(byMember[member] ?? []);
  return errorCodes.filter((code) => found.has(code));
}

/** Codes by the status that they come with, in the order of the statuses. */
export function byStatus(codes: readonly ErrorCode[]): [status: number, codes: ErrorCode[]][] {
  const groups = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = problems[code];
    const group = groups.get(status);
    if (group === undefined) groups.set(status, [code]);
    else group.push(code);
  }
  return [...groups].sort(([a], [b]) => a - b);
}
