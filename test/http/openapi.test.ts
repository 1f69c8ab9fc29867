import { describe, expect, it } from "vitest";
import { errorCodes } from "../../src/errors.ts";
import { routeDocs } from "../../src/http/openapi/docs/index.ts";
import type { OpenApi, Operation } from "../../src/http/openapi/document.ts";
import { referencePage } from "../../src/http/page/page.ts";
import { problems } from "../../src/http/problem.ts";
import { routes } from "../../src/http/routes/index.ts";
import { fakeBed, problemOf, textOf } from "./bed.ts";

async function document(): Promise<OpenApi> {
  const response = await fakeBed().call("GET", "/openapi.json", { bearer: null });
  expect(response.status).toBe(200);
  return (await response.json()) as OpenApi;
}

const api = await document();
const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    name: `${method} ${path}`,
    method,
    path,
    operation,
  })),
);

/** All objects in a value. */
function* objectsIn(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const part of Object.values(value)) yield* objectsIn(part);
}

const types = new Set(["object", "array", "string", "integer", "number", "boolean", "null"]);

describe("/openapi.json", () => {
  it("has every route once, and no other", () => {
    const told = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort();
    expect(told).toEqual(routes.map(({ method, path }) => `${method} ${path.replaceAll("+}", "}")}`).sort());
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("each route has its words, and no words are left over", () => {
    const known = routes.map(({ method, path }) => `${method} ${path}`);
    expect(known.filter((name) => routeDocs[name] === undefined)).toEqual([]);
    expect(Object.keys(routeDocs).filter((name) => !known.includes(name))).toEqual([]);
  });

  it("has every code with its status and title", () => {
    const told = api.components.schemas.ErrorCode.oneOf;
    expect(told.map((one) => one.const)).toEqual(errorCodes);
    for (const one of told) expect([one["x-status"], one.title]).toEqual(Object.values(problems[one.const]));
    const used = operations.flatMap(({ operation }) =>
      Object.entries(operation.responses).flatMap(([status, { "x-codes": codes = [] }]) =>
        codes.map((code) => ({ status: Number(status), code })),
      ),
    );
    expect(used.filter(({ status, code }) => problems[code].status !== status)).toEqual([]);
  });

  it("is what OpenAPI 3.1 wants: references that lead somewhere, path parameters that are described, known types", () => {
    expect(api.openapi).toMatch(/^3\.1\.\d+$/);
    expect(api.info.version).toBe("1.2.3");
    for (const object of objectsIn(api)) {
      if (typeof object.$ref === "string") {
        const found = object.$ref
          .slice(2)
          .split("/")
          .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], api);
        expect(found, object.$ref).toBeDefined();
      }
      if (typeof object.type === "string" && !object.type.startsWith("/") && !("scheme" in object)) {
        expect(types.has(object.type), object.type).toBe(true);
      }
      if (typeof object.minimum === "number" && typeof object.maximum === "number") {
        expect(object.minimum).toBeLessThanOrEqual(object.maximum);
      }
      if (typeof object.pattern === "string")
        expect(() => new RegExp(object.pattern as string)).not.toThrow();
    }
    for (const { name, path, operation } of operations) {
      const named = operation.parameters.map((one) =>
        "$ref" in one ? one.$ref.split("/").at(-1) : one.name,
      );
      expect(new Set(named).size, name).toBe(named.length);
      for (const [, parameter] of path.matchAll(/\{([^}]+)\}/g)) expect(named, name).toContain(parameter);
      expect(operation.summary, name).not.toBe("");
      expect(Object.keys(operation.responses).every((status) => /^(?:101|[2-5]\d\d)$/.test(status))).toBe(
        true,
      );
      for (const tag of operation.tags) expect(api.tags.map((one) => one.name)).toContain(tag);
    }
  });

  it("tells ranges as the checks have them, numbers and booleans in text included", () => {
    const parameters = (name: string) =>
      Object.fromEntries(
        (operations.find((one) => one.name === name)?.operation.parameters ?? []).flatMap((one) =>
          "$ref" in one ? [] : [[one.name, one.schema]],
        ),
      );
    expect(parameters("get /v1/{space}/keys")).toMatchObject({
      limit: { type: "integer", minimum: 1, maximum: 1_000 },
      values: { type: "boolean" },
    });
    expect(parameters("put /v1/{space}/keys/{key}")).toMatchObject({
      expiresInMs: { type: "integer", minimum: 1, maximum: 315_360_000_000 },
      tags: { type: "array", maxItems: 16 },
    });
    const body = bodyOf("put /v1/{space}/registrations/{pattern}");
    expect(body).toMatchObject({
      additionalProperties: false,
      properties: {
        kvTtlMs: { type: "integer", minimum: 60_000, maximum: 2_592_000_000 },
        eagerRefresh: { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 },
        adaptive: { oneOf: [{ required: ["kind", "windowMs", "threshold", "coldTtlMs", "hotTtlMs"] }, {}] },
      },
    });
  });

  it("is told to nobody by a closed deployment", async () => {
    const { call } = fakeBed({ secrets: [] });
    for (const path of ["/openapi.json", "/docs", "/errors"]) {
      expect((await problemOf(await call("GET", path))).code).toBe("deployment_closed");
    }
  });
});

function bodyOf(name: string): unknown {
  const { operation } = operations.find((one) => one.name === name) ?? {};
  return operation?.requestBody?.content["application/json"]?.schema;
}

/** The example call of an operation. */
function initOf(operation: Operation): RequestInit {
  const body = Object.values(operation.requestBody?.content ?? {})[0]?.example;
  return {
    headers: operation["x-example"].headers,
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  };
}

/** The names of all members of an answer, with their places; items of lists count as one. */
function shapeOf(value: unknown, at = ""): string[] {
  if (Array.isArray(value)) return [...new Set(value.flatMap((item) => shapeOf(item, `${at}[]`)))].sort();
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value)
    .flatMap(([name, part]) => [`${at}.${name}`, ...shapeOf(part, `${at}.${name}`)])
    .sort();
}

describe("the examples of /openapi.json", () => {
  async function prepared() {
    const bed = fakeBed();
    await bed.call("PUT", "/v1/shop");
    const headers = { "Content-Type": "application/json" };
    await bed.call("PUT", "/v1/shop/registrations/user:*", { body: "{}", headers });
    await bed.call("PUT", "/v1/shop/keys/user:1?tags=team-7", { body: '{"name":"Ada"}', headers });
    await bed.call("PUT", "/v1/shop/keys/user:1?tags=team-7", { body: '{"name":"Ada"}', headers });
    bed.spaces.warp("shop").warming = [{ loaded: 1, failed: 0, errors: [] }];
    return bed;
  }

  it.each(operations.filter(({ path }) => path !== "/metrics" && !path.endsWith("/connect")))(
    "$name answers as its example says",
    async (one) => {
      const { call } = await prepared();
      const { operation } = one;
      const response = await call(one.method.toUpperCase(), operation["x-example"].path, initOf(operation));
      const [status = ""] = Object.keys(routeDocs[docName(one)]?.statuses ?? {});
      const usual = Object.keys(operation.responses).filter((code) => code === String(response.status));
      expect(usual, `${response.status} is not documented`).toHaveLength(1);
      expect([200, 201, 302], status).toContain(response.status);
      const told = Object.entries(operation.responses[response.status]?.content ?? {})[0];
      if (told === undefined) return;
      const [type, { example }] = told;
      if (type !== "*/*") expect(response.headers.get("Content-Type")).toContain(type);
      for (const name of Object.keys(operation.responses[response.status]?.headers ?? {})) {
        // These stand only where there is something to tell.
        if (/^(Warp-Expires-In-Ms|Age|Warp-Replayed|Warp-Storage|Warp-Provisional|Warp-Op-Id)$/.test(name))
          continue;
        expect(response.headers.has(name), name).toBe(true);
      }
      const text = await textOf(response);
      if (example === undefined) return;
      const real: unknown = JSON.parse(
        type === "application/json" ? text : (text.trim().split("\n").at(-1) ?? ""),
      );
      const shown: unknown = typeof example === "string" ? JSON.parse(example) : example;
      const names = shapeOf(real);
      expect(
        shapeOf(shown).filter((name) => !names.includes(name)),
        "members that no answer has",
      ).toEqual([]);
    },
  );

  function docName(one: { readonly method: string; readonly path: string }): string {
    const name = `${one.method.toUpperCase()} ${one.path}`;
    return Object.keys(routeDocs).find((key) => key.replaceAll("+}", "}") === name) ?? "";
  }
});

describe("/docs", () => {
  it("has every operation, every code with an anchor, and may load nothing", async () => {
    const response = await fakeBed().call("GET", "/docs", { bearer: null });
    expect(response.headers.get("Content-Type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("Content-Security-Policy")).toContain("default-src 'none'");
    const page = await response.text();
    for (const { operation } of operations) expect(page).toContain(`id="${operation.operationId}"`);
    for (const code of errorCodes) expect(page).toContain(`id="${code}"`);
    expect(page).not.toMatch(/\b(?:src|href)="(?:https?:)?\/\//);
    expect(page).not.toContain("undefined");
    expect(page).not.toContain("[object Object]");
    const anchors = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    expect(anchors.filter((id) => !page.includes(`id="${id}"`))).toEqual([]);
  });

  it("SE4 what a caller sends as its host can't become markup", () => {
    const page = referencePage(api, { origin: `http://a"'><script>alert(1)</script>`, token: false }, "n");
    expect(page).not.toContain("<script>alert");
    expect(page).toContain("&#60;script&#62;alert");
  });

  it("its lines show a token only where one is asked for", async () => {
    expect(await textOf(await fakeBed().call("GET", "/docs"))).toContain("Bearer $WARP_TOKEN");
    const open = fakeBed({ secrets: [], open: true });
    expect(await textOf(await open.call("GET", "/docs"))).not.toContain("$WARP_TOKEN");
  });

  it("/errors leads to it: the fragment of a problem's type is a code", async () => {
    const response = await fakeBed().call("GET", "/errors", { headers: { Accept: "text/html" } });
    expect([response.status, response.headers.get("Location")]).toEqual([302, "/docs"]);
  });
});
