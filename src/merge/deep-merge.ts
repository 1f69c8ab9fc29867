import { isList, type Json, readJson, writeJson } from "./json.ts";
import type { BuiltInRule } from "./merge-function.ts";

type JsonObject = { readonly [name: string]: Json };

/** A JSON merge patch (RFC 7396): objects member by member, `null` removes a member, anything else replaces. */
export const deepMerge: BuiltInRule = (stored, operand) =>
  writeJson(
    patched(
      stored === undefined ? undefined : readJson(stored, "stored value"),
      readJson(operand, "operand"),
    ),
  );

function patched(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const members = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, part] of Object.entries(patch)) {
    if (part === null) members.delete(name);
    else members.set(name, patched(members.get(name), part));
  }
  // Makes own members of any name, `__proto__` too.
  return Object.fromEntries(members);
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !isList(value);
}
