/** `warp-edge/client/presence`: who else is there. */

export { Presence } from "../watchbus/presence.ts";
