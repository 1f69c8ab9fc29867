import { problemOf } from "../client/problem.ts";
import { isWarpError, WarpError } from "../errors.ts";
import { oneLine } from "./text.ts";

/** What went wrong, on one line of stderr: for a reader, or with `json` the problem document. Never a stack, never a token. */
export function failureLine(error: unknown, json: boolean): string {
  const problem = problemOf(error);
  if (json) {
    if (problem !== undefined) return `${JSON.stringify(problem)}\n`;
    const { code, message, ...rest } = plain(error).toData();
    return `${JSON.stringify({ type: `/errors#${code}`, detail: message, code, ...rest })}\n`;
  }
  const { code, message, outcome, details } = plain(error);
  const unknown = outcome === "unknown" ? "; it may have been done" : "";
  const opId = outcome === "unknown" && details?.opId !== undefined ? ` (--op-id ${details.opId})` : "";
  const request = problem?.requestId === undefined ? "" : ` [request ${oneLine(problem.requestId)}]`;
  return `warp: ${code}: ${oneLine(message)}${unknown}${opId}${request}\n`;
}

function plain(error: unknown): WarpError {
  if (isWarpError(error)) return error;
  return new WarpError("internal", error instanceof Error ? error.message : String(error));
}
