import type { RouteDoc } from "../route-doc.ts";

/** Sockets of nodes, and of who watches. */
export const connectDocs: Readonly<Record<string, RouteDoc>> = {
  "GET /v1/{space}/connect": {
    group: "Sockets",
    text: "Opens a WebSocket to one shard, with the subprotocol `warp.v1.json` or `warp.v1.msgpack`; the token comes as `Authorization` or as the subprotocol item `warp.auth.<token>`, and must carry `read`, `write` and `delete` for the whole space. With `follow=false`, for who is no node, any narrower one will do; with `auth=frame` the token comes in the first frame. Shard 0 can be reached before the space exists. Frames and close codes: docs/http.md.",
    gives: "none",
    statuses: { 101: "The socket is open; the first frame is `hello` (or `auth`), within 10 s." },
    problems: ["protocol_mismatch", "space_not_found", "unsupported"],
    example: {
      path: "/v1/shop/connect?shard=0",
      headers: { Upgrade: "websocket", "Sec-WebSocket-Protocol": "warp.v1.json" },
    },
  },
};
