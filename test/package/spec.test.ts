import { describe, expect, test } from "vitest";
import { errorCodes } from "../../src/errors.ts";
import { read } from "./source.ts";
import { quotedIds } from "./titles.ts";

const promises = [...read("docs/spec.md").matchAll(/^- \*\*([A-Z]{2}\d+)\*\* (.*)$/gm)].map((match) => ({
  id: match[1] ?? "",
  open: (match[2] ?? "").endsWith("*(not yet)*"),
}));
const quoted = quotedIds();

describe("docs/spec.md", () => {
  test("each id stands there once", () => {
    const ids = promises.map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(100);
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  });

  test("each promise that is not marked is quoted by a test", () => {
    const shown = new Set(quoted.map(({ id }) => id));
    expect(promises.filter(({ id, open }) => !open && !shown.has(id)).map(({ id }) => id)).toEqual([]);
  });

  test("each id that a test quotes is there", () => {
    const known = new Set(promises.map(({ id }) => id));
    const families = new Set(promises.map(({ id }) => id.slice(0, 2)));
    const strange = quoted.filter(
      ({ id }) => /^[A-Z]{2}\d/.test(id) && families.has(id.slice(0, 2)) && !known.has(id),
    );
    expect(strange).toEqual([]);
  });
});

describe("scenarios", () => {
  // What go-warp's own tests show, and what its users found missing, so far as the parts exist.
  const scenarios = [
    ...["CORE-01", "CORE-02", "CORE-05", "CORE-06", "CORE-08", "CORE-09", "CORE-10", "CORE-13", "CORE-16"],
    ...["CORE-17", "CORE-20"],
    ...["CORE-11", "CORE-12", "CORE-18", "CORE-19", "CORE-21", "CORE-22", "DI-10"],
    ...[
      "SB-01",
      "SB-02",
      "SB-03",
      "SB-04",
      "SB-05",
      "SB-06",
      "SB-07",
      "SB-08",
      "SB-09",
      "SB-10",
      "SB-11",
      "SB-12",
      "SB-13",
    ],
    ...["AD-01", "AD-02", "AD-03", "AD-04"],
    ...["ME-01", "X-01", "X-03", "X-04", "X-05", "X-06", "X-07", "X-08", "X-09", "X-10"],
    ...["LK-01", "LK-02", "LK-03", "LK-04", "LK-05", "LK-06", "X-12", "X-13", "X-14", "X-15"],
    ...["LE-01", "LE-02", "LE-03", "LE-04", "X-16"],
    ...["WB-01", "WB-02", "WB-03", "WB-04", "WB-05", "WB-06", "WB-07", "WB-08", "WB-09", "WB-10"],
    ...["X-20", "X-21", "X-22"],
  ];

  test.each(scenarios)("%s is quoted by a test", (scenario) => {
    expect(quoted.map(({ id }) => id)).toContain(scenario);
  });
});

test("docs/errors.md has every code of the union", () => {
  const page = read("docs/errors.md");
  expect(errorCodes.filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
});
