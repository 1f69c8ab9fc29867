import { errorCodes } from "../../errors.ts";
import { maxTimeoutMs, minTimeoutMs } from "../../runtime/limits.ts";
import { problems } from "../problem.ts";

/** What all operations share: the parameters of every call, the problem of every refusal, the way to show a token. */
export const components = {
  securitySchemes: {
    bearer: {
      type: "http",
      scheme: "bearer",
      description:
        "The deployment's secret, or a token from `POST /tokens`. An open deployment asks for none.",
    },
  },
  parameters: {
    space: {
      name: "space",
      in: "path",
      required: true,
      description: "1 to 64 of `a-z 0-9 . _ -`, with a letter or digit at both ends.",
      schema: { type: "string", minLength: 1, maxLength: 64 },
    },
    key: {
      name: "key",
      in: "path",
      required: true,
      description:
        "Any UTF-8 of 1 to 512 bytes, percent-encoded; slashes may stand as they are. Keys with `.` or `..` segments go through `batch`.",
      schema: { type: "string", minLength: 1 },
    },
    pattern: {
      name: "pattern",
      in: "path",
      required: true,
      description: "An exact key, or a prefix that ends in `*`.",
      schema: { type: "string", minLength: 1 },
    },
    operation: {
      name: "operation",
      in: "path",
      required: true,
      description: "An op id that the caller gave, or that an answer or error named.",
      schema: { type: "string", format: "uuid" },
    },
    name: {
      name: "name",
      in: "path",
      required: true,
      description:
        "Any UTF-8 of 1 to 512 bytes, percent-encoded; slashes may stand as they are. A `{tag}` puts it beside its keys.",
      schema: { type: "string", minLength: 1 },
    },
    id: {
      name: "id",
      in: "path",
      required: true,
      description: "A lease, as its grant named it.",
      schema: { type: "string", pattern: "^[a-z0-9]{16,64}$" },
    },
    "Warp-Op-Id": header(
      "Warp-Op-Id",
      "The idempotency token: a UUIDv7 in lower case, at most 5 minutes old. Made if absent.",
      { type: "string", format: "uuid" },
    ),
    "If-Match": header(
      "If-Match",
      "Only if the present version has one of these entity tags; `*`: if there is one.",
      {
        type: "string",
      },
    ),
    "If-None-Match": header("If-None-Match", "Only if it has none of them; `*`: if there is none.", {
      type: "string",
    }),
    "Warp-Fence": header(
      "Warp-Fence",
      "Only under this lock: its percent-encoded name, `=`, and the fence. One of the key's shard must be held under the fence; of one elsewhere the key must have seen no higher fence.",
      { type: "string", pattern: "^[^=\\s]+=[0-9]{1,16}$" },
    ),
    "Content-Type": header("Content-Type", "Kept with the bytes. Default `application/octet-stream`.", {
      type: "string",
      maxLength: 255,
    }),
    "Warp-Timeout-Ms": header("Warp-Timeout-Ms", "The deadline. Default 10,000.", {
      type: "integer",
      minimum: minTimeoutMs,
      maximum: maxTimeoutMs,
    }),
    "Warp-Request-Id": header("Warp-Request-Id", "Stands in the answer and in the log. Made if absent.", {
      type: "string",
      pattern: "^[A-Za-z0-9._-]{1,64}$",
    }),
  },
  headers: {
    "Warp-Version": told("The key's version; 0 where it is absent.", "integer"),
    ETag: told("The same with the shard's epoch, as a strong tag.", "string"),
    "Warp-Revision": told("`epoch.revision`: the log position at which the answer was true.", "string"),
    "Warp-Cache": {
      description: "How the value was come by.",
      schema: oneOfTexts("hit", "miss", "stale", "refresh", "bypass"),
    },
    "Warp-Expires-In-Ms": told("What is left of the value's life, if it has an end.", "integer"),
    Age: told("On a stale answer: seconds since the copy was known to be true.", "integer"),
    "Warp-Op-Id": told("The op id of the mutation, refusals included.", "string"),
    "Warp-Replayed": told("`true`: this op id had been carried out before.", "string"),
    "Warp-Storage": told(
      "`pending`: it is committed, and the storage behind the shard had not confirmed it in time.",
      "string",
    ),
    "Warp-Provisional": told(
      "`true`: the shard can't be reached, and its space has a fallback. Of a change: it waits there and is applied once, when the shard is back. Of a value: what is known meanwhile.",
      "string",
    ),
    "Warp-Request-Id": told("On every answer.", "string"),
  },
  schemas: {
    ErrorCode: {
      description: "Codes are added, never renamed. Match on them, never on words.",
      oneOf: errorCodes.map((code) => ({
        const: code,
        title: problems[code].title,
        "x-status": problems[code].status,
      })),
    },
    Problem: {
      type: "object",
      description: "A refusal (RFC 9457).",
      required: ["type", "title", "status", "detail", "code", "outcome", "retryable", "requestId"],
      properties: {
        type: { type: "string", format: "uri-reference" },
        title: { type: "string" },
        status: { type: "integer" },
        detail: { type: "string" },
        code: { $ref: "#/components/schemas/ErrorCode" },
        outcome: {
          ...oneOfTexts("fail", "unknown"),
          description: "`fail`: nothing was done and nothing will be. `unknown`: repeat with the same op id.",
        },
        retryable: { type: "boolean" },
        retryAfterMs: { type: "integer" },
        requestId: { type: "string" },
        details: { type: "object" },
      },
    },
  },
};

function header(name: string, description: string, schema: object) {
  return { name, in: "header", required: false, description, schema };
}

function told(description: string, type: "string" | "integer") {
  return { description, schema: { type } };
}

function oneOfTexts(...texts: readonly string[]) {
  return { type: "string", enum: texts };
}
