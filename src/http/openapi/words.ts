import type * as v from "valibot";

/** What the reference says of members of a body or a query, by name: apart from the schemas, since no check needs it and every isolate would load it. */
export type Words = Readonly<Record<string, string>>;

/** `words` about members of `schema`. */
export function wordsOf<S extends { readonly entries: object } & v.GenericSchema>(
  schema: S,
  words: { readonly [M in keyof S["entries"]]?: string },
): readonly [v.GenericSchema, Words] {
  return [schema, words as Words];
}
