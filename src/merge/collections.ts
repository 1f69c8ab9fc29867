import type { Payload } from "../protocol/payload.ts";
import { canonicalJson, isList, type Json, readJson, unfit, writeJson } from "./json.ts";
import type { BuiltInRule } from "./merge-function.ts";

/** The stored list and after it the operand's elements (an operand that is no list is one element); the newest `maxElements` stay. */
export const append: BuiltInRule = (stored, operand, maxElements) => {
  const elements = [...listOf(stored), ...elementsOf(operand)];
  return writeJson(elements.slice(-maxElements));
};

/**
 * The stored set and the operand's elements, each once; the newest `maxElements` stay. An element that comes again counts as new and moves to the
 * end: so the same operand once more changes nothing, even where the bound has pushed elements out.
 */
export const union: BuiltInRule = (stored, operand, maxElements) => {
  const elements = new Map<string, Json>();
  for (const element of [...listOf(stored), ...elementsOf(operand)]) {
    const name = canonicalJson(element);
    const known = elements.get(name);
    elements.delete(name);
    elements.set(name, known === undefined ? element : known);
  }
  return writeJson([...elements.values()].slice(-maxElements));
};

function listOf(stored: Payload | undefined): readonly Json[] {
  if (stored === undefined) return [];
  const value = readJson(stored, "stored value");
  if (isList(value)) return value;
  throw unfit("the stored value is no JSON array");
}

function elementsOf(operand: Payload): readonly Json[] {
  const value = readJson(operand, "operand");
  return isList(value) ? value : [value];
}
