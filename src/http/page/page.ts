import type { OpenApi, Operation } from "../openapi/document.ts";
import { escaped, table, words } from "./html.ts";
import { type CurlTarget, operationSection } from "./operation.ts";
import { script, style } from "./style.ts";

interface Placed {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/**
 * The reference as one page: everything it needs is in it, so that it asks nobody for anything. `nonce` lets its own style and script
 * run under a policy that forbids all others.
 */
export function referencePage(api: OpenApi, target: CurlTarget, nonce: string): string {
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Placed => ({ method, path, operation })),
  );
  const groups = api.tags.map(({ name }) => ({
    name,
    operations: operations.filter(({ operation }) => operation.tags.includes(name)),
  }));
  const filled = groups.filter((group) => group.operations.length > 0);
  const contents = filled.map(
    (group) => `<h2>${escaped(group.name)}</h2><ul>${group.operations.map(link).join("")}</ul>`,
  );
  const sections = filled.map(
    (group) =>
      `<h2 id="${anchor(group.name)}">${escaped(group.name)}</h2>${group.operations
        .map(({ method, path, operation }) => operationSection(api, method, path, operation, target))
        .join("")}`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escaped(api.info.title)} ${escaped(api.info.version)}: HTTP reference</title><link rel="icon" href="data:,">
<style nonce="${nonce}">${style}</style></head>
<body><nav aria-label="Contents"><details open><summary>${escaped(api.info.title)}</summary>${contents.join("")}
<h2>All calls</h2><ul><li><a href="#common">Headers</a></li><li><a href="#errors">Errors</a></li></ul></details></nav>
<main><h1>${escaped(api.info.title)} <span class="mute">${escaped(api.info.version)}</span></h1><p>${words(api.info.description)}</p>
<p class="mute">The same as <a href="/openapi.json">OpenAPI 3.1</a>.${target.token ? " The lines below take a token from <code>WARP_TOKEN</code>." : " This deployment is open on loopback: the lines below need no token."}</p>
${sections.join("\n")}
<h2 id="common">Headers of every call</h2>${headerTables(api)}
<h2 id="errors">Errors</h2><p>Each refusal is <code>application/problem+json</code> with one of these codes, an <code>outcome</code> (<code>fail</code>: nothing was done and nothing will be; <code>unknown</code>: repeat with the same op id) and <code>retryable</code>.</p>
${errorTable(api)}
</main><script nonce="${nonce}">${script}</script></body></html>
`;
}

function anchor(name: string): string {
  return `group-${name.toLowerCase().replaceAll(" ", "-")}`;
}

function link({ method, path, operation }: Placed): string {
  return `<li><a href="#${operation.operationId}" title="${escaped(operation.summary)}"><b class="m ${method}">${method}</b><span>${escaped(path.replace("/v1/{space}/", ""))}</span></a></li>`;
}

function headerTables(api: OpenApi): string {
  const { parameters, headers } = api.components;
  const asked = Object.values(parameters)
    .filter((one) => one.in === "header")
    .map((one) => [`<code>${escaped(one.name)}</code>`, "request", words(one.description)]);
  const told = Object.entries(headers).map(([name, { description }]) => [
    `<code>${escaped(name)}</code>`,
    "answer",
    words(description),
  ]);
  return table(["header", "in the", "what"], [...asked, ...told]);
}

function errorTable(api: OpenApi): string {
  const rows = api.components.schemas.ErrorCode.oneOf.map((one) => [
    `<code id="${one.const}">${one.const}</code>`,
    String(one["x-status"]),
    escaped(one.title),
  ]);
  return table(["code", "status", "what it means"], rows);
}
