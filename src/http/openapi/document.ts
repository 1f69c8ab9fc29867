import type { JsonSchema } from "@valibot/to-json-schema";
import type { ErrorCode } from "../../errors.ts";
import { problems } from "../problem.ts";
import type { Route } from "../route.ts";
import { components } from "./components.ts";
import { docOf, summaryOf } from "./docs/index.ts";
import { jsonSchemaOf, membersOf } from "./json-schema.ts";
import { byStatus, problemsOf } from "./problems.ts";
import { groups, type RouteDoc } from "./route-doc.ts";

/** A parameter, or where it is described. */
export type Parameter =
  | { readonly $ref: string }
  | {
      readonly name: string;
      readonly in: "query";
      readonly required: boolean;
      readonly description?: string;
      readonly style?: "form";
      readonly explode?: false;
      readonly schema: JsonSchema;
    };

/** What stands at one method of one path. */
export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly security: readonly object[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema?: JsonSchema; readonly example?: unknown }>>;
  };
  readonly responses: Readonly<Record<string, OperationResponse>>;
  /** The call that the examples belong to, ready to be sent. */
  readonly "x-example": { readonly path: string; readonly headers: Readonly<Record<string, string>> };
}

/** One answer of an operation. */
export interface OperationResponse {
  readonly description: string;
  readonly headers?: object;
  readonly content?: Readonly<Record<string, { readonly schema?: unknown; readonly example?: unknown }>>;
  /** Codes that come with this status. */
  readonly "x-codes"?: readonly ErrorCode[];
}

/** The whole description. */
export interface OpenApi {
  readonly openapi: "3.1.0";
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: typeof components;
}

/** The description of `routes` as OpenAPI 3.1: made from the very tables and schemas that answer and check the calls. */
export function openApiOf(routes: readonly Route[], version: string): OpenApi {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll("+}", "}");
    const operations = paths[path] ?? {};
    operations[route.method.toLowerCase()] = operationOf(route, docOf(route));
    paths[path] = operations;
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Warp",
      version,
      description:
        "Hot data, kept near and kept in step. Values are bytes; every refusal is a problem with a code; what is unknown or out of range is refused and named, never guessed at or cut to fit.",
    },
    servers: [{ url: "/" }],
    tags: groups.map((name) => ({ name })),
    paths,
    components,
  };
}

function operationOf(route: Route, doc: RouteDoc): Operation {
  const query = route.query === undefined ? [] : membersOf(jsonSchemaOf(route.query));
  const checked = doc.body ?? route.body;
  const body = checked === undefined ? undefined : jsonSchemaOf(checked);
  const members = [...query, ...(body === undefined ? [] : membersOf(body))].map(({ name }) => name);
  const requestBody = bodyOf(doc, body);
  return {
    operationId: operationId(route),
    tags: [doc.group],
    summary: summaryOf(route),
    description: doc.text,
    security: route.access === "public" ? [] : [{ bearer: [] }],
    parameters: [
      ...[...route.path.matchAll(/\{([a-z]+)\+?\}/g)].map(([, name]) => shared(name ?? "")),
      ...query.map(({ name, schema, required }) => parameterOf(name, schema, required)),
      ...(doc.headers ?? []).map(shared),
      ...(route.path.includes("{space}") ? [shared("Warp-Timeout-Ms")] : []),
      shared("Warp-Request-Id"),
    ],
    ...(requestBody === undefined ? {} : { requestBody }),
    responses: responsesOf(doc, problemsOf(route, doc, members)),
    "x-example": { path: doc.example.path, headers: exampleHeaders(doc, body) },
  };
}

/** `get-v1-space-keys-key`: also the anchor of the operation on the page. */
export function operationId(route: Pick<Route, "method" | "path">): string {
  const words = `${route.method} ${route.path}`.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return words.join("-");
}

function shared(name: string): Parameter {
  return { $ref: `#/components/parameters/${name}` };
}

function parameterOf(name: string, schema: JsonSchema, required: boolean): Parameter {
  const { description, ...rest } = schema;
  return {
    name,
    in: "query",
    required,
    ...(description === undefined ? {} : { description }),
    ...(rest.type === "array" ? { style: "form", explode: false } : {}),
    schema: rest,
  };
}

function exampleHeaders(doc: RouteDoc, body: JsonSchema | undefined): Readonly<Record<string, string>> {
  const json = body !== undefined && doc.example.body !== undefined;
  return { ...(json ? { "Content-Type": "application/json" } : {}), ...doc.example.headers };
}

function bodyOf(doc: RouteDoc, schema: JsonSchema | undefined): Operation["requestBody"] {
  const example = doc.example.body === undefined ? {} : { example: doc.example.body };
  if (schema !== undefined) {
    return {
      required: (schema.required ?? []).length > 0,
      content: { "application/json": { schema, ...example } },
    };
  }
  if (doc.takes === "ndjson") return { required: true, content: { "application/x-ndjson": example } };
  if (doc.takes === "bytes") return { required: true, content: { "*/*": example } };
  return undefined;
}

const mediaTypes: Readonly<Record<RouteDoc["gives"], string | undefined>> = {
  json: "application/json",
  bytes: "*/*",
  ndjson: "application/x-ndjson",
  events: "text/event-stream",
  html: "text/html",
  none: undefined,
};

/** Headers of answers about one key. */
const keyHeaders = [
  "Warp-Version",
  "ETag",
  "Warp-Revision",
  "Warp-Cache",
  "Warp-Expires-In-Ms",
  "Age",
  "Warp-Provisional",
] as const;

function responsesOf(doc: RouteDoc, codes: readonly ErrorCode[]): Record<string, OperationResponse> {
  const responses: Record<string, OperationResponse> = {};
  const type = mediaTypes[doc.gives];
  const example = doc.example.answer === undefined ? {} : { example: doc.example.answer };
  const names: string[] = [
    ...(doc.gives === "bytes" && doc.group === "Keys" ? keyHeaders : []),
    ...(doc.headers?.includes("Warp-Op-Id") ? ["Warp-Op-Id", "Warp-Replayed"] : []),
    ...(doc.group === "Keys" && doc.headers?.includes("Warp-Op-Id") ? ["Warp-Storage"] : []),
    ...(doc.statuses[202] === undefined ? [] : ["Warp-Provisional"]),
    "Warp-Request-Id",
  ];
  const headers = Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
  for (const [status, description] of Object.entries(doc.statuses)) {
    const content = type === undefined || Number(status) >= 300 ? {} : { content: { [type]: example } };
    responses[status] = { description, headers, ...content };
  }
  for (const [status, group] of byStatus(codes)) {
    responses[status] = {
      description: group.map((code) => `\`${code}\`: ${problems[code].title}.`).join(" "),
      content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
      "x-codes": group,
    };
  }
  return responses;
}
