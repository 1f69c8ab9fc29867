/** `warp-edge/client/tabs`: one connection for the tabs of an origin. */

export type { Sharing } from "../runtime/client-host.ts";
export type { TabChannel, TabHost, TabLocks } from "../runtime/tab-host.ts";
export { tabSharing } from "./tabs/create-tab-sharing.ts";
