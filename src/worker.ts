/** The Worker: HTTP in front, the shards behind. Its exports are the handlers and the Durable Object classes, nothing else. */

export { WarpShard } from "./objects/warp-shard.ts";

export default {
  fetch: () => new Response("not wired yet", { status: 503 }),
} satisfies ExportedHandler;
