import type { OpenApi, Operation, Parameter } from "../openapi/document.ts";
import { codeBlock, escaped, table, words } from "./html.ts";
import { kindOf, membersTable } from "./schema.ts";

/** Where curl lines go, and whether they must show a token. */
export interface CurlTarget {
  /** `http://127.0.0.1:8787`. */
  readonly origin: string;
  readonly token: boolean;
}

/** One operation as a section. */
export function operationSection(
  api: OpenApi,
  method: string,
  path: string,
  operation: Operation,
  target: CurlTarget,
): string {
  const { operationId, description, requestBody, responses } = operation;
  const [type, body] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  const parts = [
    `<section><h3 id="${operationId}"><span class="m ${method}">${method}</span><a href="#${operationId}">${escaped(path)}</a></h3>`,
    `<p>${words(description)}</p>`,
    titled("Parameters", table(["name", "in", "what", ""], parameterRows(api, operation.parameters))),
    body?.schema === undefined ? "" : titled("Body, JSON", membersTable(body.schema)),
    type === "*/*" ? titled("Body", "<p>Any bytes; kept as they come.</p>") : "",
    type === "application/x-ndjson" ? titled("Body", "<p>NDJSON: one record per line.</p>") : "",
    codeBlock(curlOf(method, operation, target), "curl"),
    ...Object.values(responses)
      .flatMap((response) => Object.values(response.content ?? {}))
      .filter(({ example }) => example !== undefined)
      .map(({ example }) => codeBlock(shown(example), "answer")),
    titled("Answers", table(["status", "what"], answerRows(operation))),
  ];
  return `${parts.join("")}</section>`;
}

function titled(title: string, html: string): string {
  return html === "" ? "" : `<h4>${title}</h4>${html}`;
}

/** Parameters of this operation; those of every call stand once at the top of the page. */
function parameterRows(api: OpenApi, parameters: readonly Parameter[]): string[][] {
  const rows: string[][] = [];
  for (const parameter of parameters) {
    if (!("$ref" in parameter)) {
      const { name, schema, description = "" } = parameter;
      rows.push([`<code>${escaped(name)}</code>`, "query", kindOf(schema), words(description)]);
      continue;
    }
    const name = parameter.$ref.slice(parameter.$ref.lastIndexOf("/") + 1);
    const found = api.components.parameters[name as keyof typeof api.components.parameters];
    if (/^Warp-(Timeout-Ms|Request-Id)$/.test(name)) continue;
    rows.push([`<code>${escaped(name)}</code>`, found.in, "string", words(found.description)]);
  }
  return rows;
}

function answerRows(operation: Operation): string[][] {
  return Object.entries(operation.responses).map(([status, response]) => [
    status,
    response["x-codes"]?.map((code) => `<a href="#${code}"><code>${code}</code></a>`).join(" ") ??
      words(response.description),
  ]);
}

/** The example as a line that a shell takes. */
export function curlOf(method: string, operation: Operation, target: CurlTarget): string {
  const { path, headers } = operation["x-example"];
  const body = Object.values(operation.requestBody?.content ?? {})[0]?.example;
  const parts = ["curl"];
  if (method !== "get") parts.push(`-X ${method.toUpperCase()}`);
  parts.push(quoted(`${target.origin}${path}`));
  if (target.token && operation.security.length > 0) parts.push('-H "Authorization: Bearer $WARP_TOKEN"');
  for (const [name, value] of Object.entries(headers)) parts.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== undefined) {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    parts.push(`--data-binary ${quoted(text.replace(/\n$/, ""))}`);
  }
  return parts.join(" ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function shown(example: unknown): string {
  return typeof example === "string" ? example : JSON.stringify(example, null, 2);
}
