import type { JsonSchema } from "@valibot/to-json-schema";
import { membersOf } from "../openapi/json-schema.ts";
import { escaped, table, words } from "./html.ts";

const figure = new Intl.NumberFormat("en");

/** What a value is, in words: `1 to 1,000`, `one of a, b`. */
export function kindOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return `<code>${escaped(JSON.stringify(schema.const))}</code>`;
  if (schema.enum !== undefined)
    return schema.enum.map((one) => `<code>${escaped(String(one))}</code>`).join(" ");
  if (schema.type === "array") {
    const item = typeof schema.items === "object" && !Array.isArray(schema.items) ? schema.items : {};
    const most = schema.maxItems === undefined ? "" : `, at most ${figure.format(schema.maxItems)}`;
    return `list of ${item.oneOf === undefined ? kindOf(item as JsonSchema) : "operations"}${most}`;
  }
  if (schema.oneOf !== undefined) return "one of the forms below";
  return `${escaped(String(schema.type ?? "any"))}${rangeOf(schema)}`;
}

function rangeOf(schema: JsonSchema): string {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  const from = minimum ?? exclusiveMinimum;
  const to = maximum ?? exclusiveMaximum;
  if (from === undefined || to === undefined) return "";
  if (to === Number.MAX_SAFE_INTEGER) return `, from ${figure.format(from)}`;
  const low = exclusiveMinimum === undefined ? `${figure.format(from)}` : `above ${figure.format(from)}`;
  const high = exclusiveMaximum === undefined ? ` to ${figure.format(to)}` : `, below ${figure.format(to)}`;
  return `, ${low}${high}`;
}

/** A table of the members of an object, those of its own objects and forms below it. */
export function membersTable(schema: JsonSchema, within = ""): string {
  const rows: string[][] = [];
  const add = (object: JsonSchema, path: string): void => {
    for (const { name, schema: member, required } of membersOf(object)) {
      const what = [member.description === undefined ? "" : words(member.description)];
      if (member.default !== undefined)
        what.push(`Default <code>${escaped(JSON.stringify(member.default))}</code>.`);
      rows.push([
        `<code>${escaped(path + name)}</code>${required ? " *" : ""}`,
        kindOf(member),
        what.filter((part) => part !== "").join(" "),
      ]);
      if (member.properties !== undefined) add(member, `${path}${name}.`);
      for (const form of formsOf(member)) add(form, `${path}${name}.`);
    }
  };
  add(schema, within);
  return table(["member (* must be there)", "what", ""], rows);
}

/** The forms that a member, or each item of a list, may have. */
function formsOf(schema: JsonSchema): JsonSchema[] {
  const items = typeof schema.items === "object" && !Array.isArray(schema.items) ? schema.items : undefined;
  return ((schema.oneOf ?? items?.oneOf ?? []) as (JsonSchema | boolean)[]).filter(
    (form) => typeof form === "object",
  );
}
