import type { Refusal } from "./call-scope.ts";

/** Spends a token that is good for one use. */
export interface RedeemRequest {
  readonly space: string;
  /** Its id (`jti`). */
  readonly id: string;
  /** When it ends, in Unix ms: so long it must be remembered. */
  readonly endsAtMs: number;
}

export interface RedeemReply {
  /** False: it was spent before. */
  readonly isFresh: boolean;
}

/** What a Worker asks the home of a space, over RPC alone, about tokens that are good for one use. */
export interface TokenApi {
  redeem(request: RedeemRequest): Promise<RedeemReply | Refusal>;
}
