import { type ConversionConfig, type JsonSchema, toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import { words } from "./words/index.ts";

/** The bounds that a check names, if it has any. */
function boundsOf(requirement: unknown): { readonly minimum: number; readonly maximum: number } | undefined {
  if (typeof requirement !== "function" || !("min" in requirement && "max" in requirement)) return undefined;
  const { min, max } = requirement as { readonly min: number; readonly max: number };
  return { minimum: min, maximum: max };
}

/** Numbers and booleans in text are told as what they stand for; the checks of our own helpers as ranges. */
const overrideAction: NonNullable<ConversionConfig["overrideAction"]> = ({ valibotAction, jsonSchema }) => {
  const { pattern: _, ...plain } = jsonSchema;
  const { requirement, operation, message } = valibotAction as unknown as Readonly<Record<string, unknown>>;
  if (valibotAction.type === "transform" && operation === Number) return { ...plain, type: "integer" };
  if (valibotAction.type === "transform" && jsonSchema.enum?.includes("true") === true) {
    const { enum: _choice, ...rest } = plain;
    return { ...rest, type: "boolean" };
  }
  if (valibotAction.type !== "check") return undefined;
  const bounds = boundsOf(requirement);
  if (bounds !== undefined) return { ...plain, type: "integer", ...bounds };
  return String(message).includes("whole number") ? { ...plain, type: "integer" } : undefined;
};

/** A valibot schema as JSON Schema 2020-12, which OpenAPI 3.1 takes: what a caller sends, not what it becomes. */
export function jsonSchemaOf(schema: v.GenericSchema): JsonSchema {
  const { $schema: _, ...rest } = toJsonSchema(schema, {
    target: "draft-2020-12",
    errorMode: "ignore",
    overrideAction,
  });
  for (const [name, description] of Object.entries(words.get(schema) ?? {})) {
    const member = rest.properties?.[name];
    if (typeof member === "object") member.description = description;
  }
  return rest;
}

/** The members of an object's schema, with whether each must be there. */
export function membersOf(
  schema: JsonSchema,
): { readonly name: string; readonly schema: JsonSchema; readonly required: boolean }[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, member]) => ({
    name,
    schema: typeof member === "boolean" ? {} : member,
    required: required.has(name),
  }));
}
