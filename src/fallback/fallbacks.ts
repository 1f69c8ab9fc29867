import type { Fallback } from "./fallback.ts";

/** The fallbacks of a deployment, by the names under which spaces opt in: each gives the streams of a space. */
export type Fallbacks = Readonly<Record<string, (space: string) => Fallback | Promise<Fallback>>>;
