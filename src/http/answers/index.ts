/** What is asked of a deployment now and then: loaded together, when the first of it is asked for. */

export * from "./export.ts";
export * from "./metrics.ts";
export * from "./operations.ts";
export * from "./registrations.ts";
export * from "./spaces.ts";
export * from "./tokens.ts";
export * from "./txn.ts";
export * from "./warmup.ts";
