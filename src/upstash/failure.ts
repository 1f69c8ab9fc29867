import { errors } from "@upstash/redis/cloudflare";
import { type ErrorOutcome, WarpError } from "../errors.ts";

/** Errors of Redis, by their first word, that are given instead of carrying a command out. */
const refusals: ReadonlyMap<string, { readonly message: string; readonly retryable: boolean }> = new Map([
  ["NOSCRIPT", { message: "the storage does not know the script", retryable: true }],
  ["WRONGPASS", { message: "the storage refuses the token", retryable: false }],
  ["NOAUTH", { message: "the storage wants a token", retryable: false }],
  ["NOPERM", { message: "the storage does not let this token do that", retryable: false }],
  ["OOM", { message: "the storage is full", retryable: true }],
  ["BUSY", { message: "the storage is busy with a script", retryable: true }],
  ["LOADING", { message: "the storage is loading its data", retryable: true }],
  ["MASTERDOWN", { message: "the storage has lost its primary", retryable: true }],
  ["READONLY", { message: "the storage takes no writes", retryable: true }],
  ["CLUSTERDOWN", { message: "the storage's cluster is down", retryable: true }],
  ["WRONGTYPE", { message: "a key of this space holds another kind of data", retryable: false }],
]);

/** Refusals of the service in front of Redis, which begin with `ERR` as much else does. */
const limits: readonly (readonly [RegExp, string, boolean])[] = [
  [/^ERR max (daily|monthly|requests)/, "the storage's request limit is used up", true],
  [/^ERR Command is not available/, "the storage has no such command", false],
];

/**
 * What went wrong, as a WarpError that names neither values nor tokens: the client's own errors quote the whole command. `outcome` is that of
 * a command whose fate is not known; what Redis refused before carrying it out is `fail`.
 */
export function storageFailure(error: unknown, outcome: ErrorOutcome): WarpError {
  if (error instanceof WarpError) return withOutcome(error, outcome);
  if (error instanceof errors.UpstashJSONParseError) {
    return unavailable("the storage's answer is no JSON", outcome);
  }
  if (error instanceof errors.UpstashError) return ofRedis(withoutCommand(error.message), outcome);
  const why = causeOf(error);
  return unavailable(`the storage can't be reached${why === undefined ? "" : ` (${why})`}`, outcome);
}

/** The system's code, which hosts hide in the cause of a failed fetch, or a name that says something. Never a text: it could say what is secret. */
function causeOf(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    if ("code" in at && typeof at.code === "string" && /^[A-Z][A-Z0-9_]{2,40}$/.test(at.code)) return at.code;
  }
  if (!(error instanceof Error)) return typeof error;
  return error.name === "Error" || error.name === "TypeError" ? undefined : error.name;
}

/** The word by which Redis tells its errors apart, or that of an answer of the service; undefined: none of Redis's. */
export function redisCode(error: unknown): string | undefined {
  return error instanceof errors.UpstashError ? wordOf(withoutCommand(error.message)) : undefined;
}

function ofRedis(message: string, outcome: ErrorOutcome): WarpError {
  const word = wordOf(message) ?? "";
  // A script that broke in its middle may have done its first half.
  const inScript = message.includes("user_script") || message.includes("script: ");
  const known = refusals.get(word);
  if (known !== undefined && !inScript) {
    return new WarpError("storage_unavailable", known.message, {
      retryable: known.retryable,
      details: { redis: word },
    });
  }
  // What was sent may be sent in parts, whatever the plan's limit is.
  if (message.startsWith("ERR max request size exceeded")) {
    return new WarpError("batch_too_large", "the request is larger than the storage takes");
  }
  for (const [form, told, retryable] of limits) {
    if (form.test(message)) {
      return new WarpError("storage_unavailable", told, { retryable, details: { redis: word } });
    }
  }
  const details = word === "" ? {} : { details: { redis: word } };
  const answered = "the storage answered with an error";
  const plain = word === "" ? `${answered} that is none of Redis's: is its URL right?` : answered;
  const what = inScript ? "a script failed at the storage" : plain;
  return new WarpError("storage_unavailable", what, { outcome, ...details });
}

function unavailable(message: string, outcome: ErrorOutcome): WarpError {
  return new WarpError("storage_unavailable", message, { outcome });
}

function withOutcome(error: WarpError, outcome: ErrorOutcome): WarpError {
  if (error.outcome === outcome) return error;
  return new WarpError(error.code, error.message, { ...error.toData(), outcome, cause: error.cause });
}

function withoutCommand(message: string): string {
  const at = message.indexOf(", command was: ");
  return at < 0 ? message : message.slice(0, at);
}

function wordOf(message: string): string | undefined {
  return /^([A-Z][A-Z0-9_]*)\b/.exec(message)?.[1];
}
