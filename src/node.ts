/** Warp in a Node process: `connectWarp(url)` for a node of a deployment, `nodeHost()` for `standalone` and for a `Warp` of one's own. */

export {
  nodeBackground,
  nodeClock,
  nodeElapsed,
  nodeHost,
  nodeRandom,
  nodeSql,
  nodeTimers,
} from "./platform/node.ts";
export { nodeClientHost } from "./platform/node-client.ts";
export { nodeSockets } from "./platform/node-sockets.ts";
export { type ConnectOptions, connectWarp } from "./presets/node.ts";
