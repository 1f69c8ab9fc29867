import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { openApiOf } from "../../src/http/openapi/document.ts";
import { routes } from "../../src/http/routes/index.ts";
import { read, root } from "./source.ts";

const run = promisify(execFile);

/** They don't end: a client speaks the first, and watches by itself. */
const endless = ["GET /v1/{space}/connect", "GET /v1/{space}/watch"];

const nameOf = ({ method, path }: { readonly method: string; readonly path: string }): string =>
  `${method} ${path.replaceAll("+}", "}")}`;

/** Members of a schema of an object, in order; undefined: there is none, or they are not fixed. */
function membersOf(schema: unknown): readonly string[] | undefined {
  const { entries, pipe } = (schema ?? {}) as {
    readonly entries?: object;
    readonly pipe?: readonly unknown[];
  };
  return entries !== undefined ? Object.keys(entries) : pipe === undefined ? undefined : membersOf(pipe[0]);
}

interface Operation {
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly example?: unknown }>> }>
  >;
}

/** What the compiler says of a module against the package's sources. */
async function compiled(module: string): Promise<readonly string[]> {
  const folder = join(root, "dist", "client-routes");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "routes.ts"), module);
  await writeFile(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig.base.json",
      compilerOptions: {
        composite: false,
        declaration: false,
        noEmit: true,
        rewriteRelativeImportExtensions: false,
        allowImportingTsExtensions: true,
        noUnusedLocals: false,
        types: ["node"],
      },
      files: ["routes.ts"],
    }),
  );
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const said = await run(process.execPath, [tsc, "-p", folder, "--pretty", "false"], { cwd: folder }).then(
    () => "",
    (error: { stdout?: string }) => error.stdout ?? String(error),
  );
  return said.split("\n").filter((line) => line !== "" && !/^(\.\.\/|\s)/.test(line));
}

describe("the client's table of HTTP routes", () => {
  test("names the routes that there are, but for those that don't end", () => {
    const named = [...read("src/client/live/routes.ts").matchAll(/^ {2}"([A-Z]+ \/[^"]*)": /gm)].map(
      (match) => match[1] ?? "",
    );
    const there = routes.map(nameOf).filter((name) => !endless.includes(name));
    expect(named.toSorted()).toEqual(there.toSorted());
  });

  test("takes what the routes take, and answers what the reference's examples answer", async () => {
    const { paths } = openApiOf(routes, "0.0.0") as unknown as {
      readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
    };
    const lines = [`import type { HttpParameters, HttpRoutes } from "../../src/client/live/routes.ts";`];
    const check = (type: string, value: unknown): void => {
      lines.push(`({ value: ${JSON.stringify(value)} }) satisfies { readonly value: ${type} };`);
    };
    for (const route of routes) {
      const name = nameOf(route);
      if (endless.includes(name)) continue;
      const type = `HttpRoutes[${JSON.stringify(name)}]`;
      // Exactly the members that there are.
      for (const [part, schema] of [
        ["query", route.query],
        ["body", route.body],
      ] as const) {
        const members = membersOf(schema);
        if (
          members === undefined ||
          members.length === 0 ||
          (part === "body" && name.includes("registrations"))
        )
          continue;
        const keys = members.map((member) => JSON.stringify(member)).join(" | ");
        lines.push(`undefined as unknown as keyof ${type}["${part}"] satisfies ${keys};`);
        lines.push(`undefined as unknown as ${keys} satisfies keyof ${type}["${part}"];`);
      }
      const operation = paths[route.path.replaceAll("+}", "}")]?.[route.method.toLowerCase()];
      if (operation === undefined) throw new Error(`${name} is not in the reference`);
      const body = operation.requestBody?.content["application/json"]?.example;
      if (body !== undefined && route.body !== undefined) check(`${type}["body"]`, body);
      for (const { content } of Object.values(operation.responses)) {
        const answer = content?.["application/json"]?.example;
        if (answer !== undefined && answer !== null) check(`${type}["answer"]`, answer);
      }
    }
    expect(lines.length).toBeGreaterThan(80);
    expect(await compiled(`${lines.join("\n")}\n`)).toEqual([]);
  });
});
