import { type ErrorData, WarpError } from "../../errors.ts";

/** What `work` gives; what it refuses becomes a verdict. */
export function judged<V>(work: () => V): V | { readonly outcome: "fail"; readonly error: ErrorData } {
  try {
    return work();
  } catch (error) {
    if (error instanceof WarpError) return { outcome: "fail", error: error.toData() };
    throw error;
  }
}
