import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { catalog, type Metric } from "../../src/metrics/catalog.ts";
import { helps } from "../../src/metrics/helps.ts";
import { promtool } from "../support/promtool.ts";
import { read, root } from "./source.ts";

describe("docs/metrics.md", () => {
  test("MT2 lists exactly the metrics that exist, with their types, labels and help", () => {
    const told = read("docs/metrics.md")
      .split("\n")
      .filter((line) => /^\| `warp_/.test(line));
    const names = (labels: Metric["labels"]) =>
      Object.keys(labels ?? {})
        .map((label) => `\`${label}\``)
        .join(" ");
    const real = Object.entries<Metric>(catalog).map(
      ([name, { type, labels }]) =>
        `| \`${name}\` | ${type} | ${names(labels)} | ${helps[name as keyof typeof helps]} |`,
    );
    expect(told).toEqual(real);
  });

  test("promtool accepts docs/prometheus-scrape.yaml", ({ skip }) => {
    const tool = promtool() ?? skip("promtool is not installed (Debian: prometheus)");
    const said = execFileSync(tool, ["check", "config", "--syntax-only", "docs/prometheus-scrape.yaml"], {
      cwd: root,
      encoding: "utf8",
    });
    expect(said).toContain("SUCCESS");
  });
});
