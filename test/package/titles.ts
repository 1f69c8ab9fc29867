import { filesIn, read } from "./source.ts";

/** Ids that test titles quote: of promises (`CO3`) and of scenarios (`CORE-20`, `X-03`). */
export interface Quoted {
  readonly id: string;
  readonly file: string;
}

/** The ids quoted at the beginning of test titles. */
export function quotedIds(): Quoted[] {
  const suites = [...filesIn("test", ".test.ts"), ...filesIn("test/contract", ".ts")];
  return suites.flatMap((file) =>
    // A title begins with its ids; a loop over cases may put them into a template.
    [...read(file).matchAll(/["'`]((?:[A-Z]{1,4}-?\d{1,2}(?:,? |: ))+)/g)].flatMap((match) =>
      [...(match[1] ?? "").matchAll(/[A-Z]{1,4}-?\d{1,2}/g)].map(([id]) => ({ id, file })),
    ),
  );
}
