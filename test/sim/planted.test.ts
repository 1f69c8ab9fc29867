import { describe, expect, test } from "vitest";
import { mutants } from "./planted/index.ts";
import { checkMutant } from "./planted/plant.ts";

describe("planted bugs", () => {
  test("each has its place in the source exactly once, and a name of its own", () => {
    for (const mutant of mutants) checkMutant(mutant);
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  });
});
