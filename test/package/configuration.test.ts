import { describe, expect, test } from "vitest";
import { jsonSchemaOf, membersOf } from "../../src/http/openapi/json-schema.ts";
import { registrationBody } from "../../src/http/schemas/registrations.ts";
import { filesIn, read } from "./source.ts";

const page = read("docs/configuration.md");

interface Field {
  readonly name: string;
  readonly schema: ReturnType<typeof jsonSchemaOf>;
}

/** The fields of a policy, those of its parts by their paths. */
function fieldsOf(schema: Field["schema"], within = ""): Field[] {
  return membersOf(schema).flatMap(({ name, schema: member }) => {
    const forms = (member.oneOf ?? []).filter((form) => typeof form === "object");
    if (forms.length > 0) {
      const all = forms.flatMap((form) => fieldsOf(form, `${within}${name}.`));
      return all.filter((one, i) => all.findIndex((other) => other.name === one.name) === i);
    }
    if (member.properties !== undefined) return fieldsOf(member, `${within}${name}.`);
    return [{ name: within + name, schema: member }];
  });
}

const fields = fieldsOf(jsonSchemaOf(registrationBody));
const rowOf = (name: string): string[] => {
  const line = page.split("\n").find((text) => text.startsWith(`| \`${name}\` |`)) ?? "";
  return line.split("|").map((cell) => cell.trim());
};
const figures = (text: string): number[] =>
  [...text.matchAll(/\d[\d,.]*/g)].map(([figure]) => Number(figure.replaceAll(",", "")));

describe("docs/configuration.md", () => {
  test.each(fields.map((field) => [field.name, field] as const))(
    "has %s with its range",
    (name, { schema }) => {
      const [, , range = "", , what] = rowOf(name);
      expect(what, "says what it does").toBeTruthy();
      const { minimum, exclusiveMinimum, maximum, exclusiveMaximum } = schema;
      const bounds = [minimum ?? exclusiveMinimum, maximum ?? exclusiveMaximum].filter(
        (one) => one !== undefined,
      );
      if (bounds.length > 0) expect(figures(range)).toEqual(bounds);
      for (const choice of schema.enum ?? [])
        expect(rowOf(name).join("|")).toContain(`\`${String(choice)}\``);
      if (schema.type === "boolean") expect(range).toBe("`true`, `false`");
    },
  );

  test("has no field that is not there", () => {
    const table = page.slice(page.indexOf("## Fields of a policy"));
    const told = [...table.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);
    expect(told).toEqual(fields.map(({ name }) => name));
  });

  test("has every variable that the sources read, and no other", () => {
    const named = new Set(
      [...filesIn("src", ".ts"), ...filesIn("scripts", ".ts")].flatMap(
        (file) => read(file).match(/\b(?:WARP|UPSTASH)_[A-Z_]+\b/g) ?? [],
      ),
    );
    const told = [...page.matchAll(/^\| `((?:WARP|UPSTASH)_[A-Z_]+)` \|/gm)].map(([, name]) => name);
    expect(told.sort()).toEqual([...named].sort());
  });

  test("has every binding of wrangler.toml", () => {
    const bound = [...read("wrangler.toml").matchAll(/^(?:name|binding) = "([A-Z]+)"$/gm)].map(
      ([, name]) => name,
    );
    expect(bound.filter((name) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  });
});

test("each word stands in docs/glossary.md once", () => {
  const words = [...read("docs/glossary.md").matchAll(/<a id="([^"]+)"><\/a>/g)].map(([, id]) => id ?? "");
  expect(words.length).toBeGreaterThan(25);
  expect(new Set(words).size).toBe(words.length);
});
