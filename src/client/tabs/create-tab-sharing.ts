import { browserTabs } from "../../platform/browser-tabs.ts";
import type { Sharing } from "../../runtime/client-host.ts";
import type { TabHost } from "../../runtime/tab-host.ts";
import { sharingOver } from "./tab-sharing.ts";

/**
 * One socket for each shard among all tabs of an origin that use the same space under the same rights. One tab carries the others; when it goes the next one takes over, and every watch goes on where it was.
 * Where the browser has no Web Locks each tab has sockets of its own.
 */
export function tabSharing(tabs: TabHost | undefined = browserTabs()): Sharing {
  return sharingOver(tabs);
}
