import { createWarp, type EdgeEnv } from "warp-edge/edge";
import { type MergeFunction, warpShard } from "warp-edge/shard";

interface Bid {
  readonly by: string;
  readonly amount: number;
}

/** The highest bid stays; of equal ones the first. */
const highestBid: MergeFunction = (stored, operand) => {
  const amountOf = ({ bytes }: typeof operand): number =>
    (JSON.parse(new TextDecoder().decode(bytes)) as Bid).amount;
  return stored === undefined || amountOf(operand) > amountOf(stored) ? operand : stored;
};

export class WarpShard extends warpShard({ merges: { "highest-bid": highestBid } }) {}

export default {
  async fetch(_request: Request, env: EdgeEnv): Promise<Response> {
    const warp = createWarp(env, { space: "auction" });
    const bids = warp.scope<Bid>("bid:*", { merge: "highest-bid" });
    await Promise.all([
      bids.set("lamp", { by: "Ada", amount: 20 }),
      bids.set("lamp", { by: "Grace", amount: 30 }),
      bids.set("lamp", { by: "Alan", amount: 25 }),
    ]);
    return Response.json(await bids.get("lamp"));
  },
};
