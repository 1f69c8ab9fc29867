import { describe, expect, test } from "vitest";
import { errorCodes } from "../../src/errors.ts";
import { problems } from "../../src/http/problem.ts";
import { routes } from "../../src/http/routes/index.ts";
import * as backingLimits from "../../src/runtime/backing-limits.ts";
import * as coordinationLimits from "../../src/runtime/coordination-limits.ts";
import * as failoverLimits from "../../src/runtime/failover-limits.ts";
import * as fallbackLimits from "../../src/runtime/fallback-limits.ts";
import * as limits from "../../src/runtime/limits.ts";
import * as relayLimits from "../../src/runtime/relay-limits.ts";
import * as upstashLimits from "../../src/runtime/upstash-limits.ts";
import { read } from "./source.ts";

/** Cells of the table row that begins with `first`. */
function row(page: string, first: string): string[] {
  const line = page.split("\n").find((text) => text.startsWith("| ") && text.includes(first)) ?? "";
  return line.split("|").map((cell) => cell.trim());
}

describe("the pages about HTTP", () => {
  test.each(errorCodes.map((code) => [code]))(
    "docs/errors.md says what %s is, with its status and an anchor",
    (code) => {
      const [, , status, means, advice] = row(read("docs/errors.md"), `<a id="${code}"></a>\`${code}\``);
      expect(Number(status)).toBe(problems[code].status);
      expect(means).not.toBe("");
      expect(advice).not.toBe("");
    },
  );

  test.each(
    Object.entries({
      ...limits,
      ...backingLimits,
      ...coordinationLimits,
      ...failoverLimits,
      ...fallbackLimits,
      ...relayLimits,
      ...upstashLimits,
    }),
  )("SE3 docs/limits.md has %s as it is", (name, value) => {
    const [, , number] = row(read("docs/limits.md"), `| \`${name}\` |`);
    expect(number).toBe(value.toLocaleString("en"));
  });

  test.each(routes.map(({ method, path }) => [`${method} ${path.replaceAll("+}", "}")}`]))(
    "docs/http.md has %s with a curl line",
    (route) => {
      const section =
        read("docs/http.md")
          .split("\n### ")
          .find((text) => text.startsWith(`\`${route}\`\n`)) ?? "";
      expect(section).toMatch(/^ *(?:.*\| *\n? *)?curl /m);
    },
  );

  test("docs/http.md has no route that is not there", () => {
    const known = new Set(routes.map(({ method, path }) => `${method} ${path.replaceAll("+}", "}")}`));
    const told = [...read("docs/http.md").matchAll(/^### `([^`]+)`$/gm)].map(([, route]) => route);
    expect(told.filter((route) => !known.has(route ?? ""))).toEqual([]);
  });
});
