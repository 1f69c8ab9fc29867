import { number, optional, record, text, truth, word } from "./check.ts";

/** What a caller may choose about a new space. */
export const spaceOptions = record({
  shards: optional(number),
  strict: optional(truth),
  storage: optional(
    record({
      name: text,
      write: word("behind", "through"),
      throughTimeoutMs: optional(number),
      keepBytes: optional(number),
    }),
  ),
  fallback: optional(text),
});
