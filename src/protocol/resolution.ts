import type { ErrorData } from "../errors.ts";

/** What became of one operation. `sealed`: it was not seen and never will be done. */
export type Resolution =
  | {
      readonly state: "ok";
      /** The key's version after it; of a transaction its revision; of a lock command its fence, 0 where it has none. */
      readonly version: number;
      readonly revision: number;
      /** An invalidation of a prefix or tag, which every shard carries out for its own part. */
      readonly part?: true;
    }
  | { readonly state: "fail"; readonly error: ErrorData }
  | { readonly state: "pending" | "unseen" | "sealed" };
