import type { TabHost } from "../runtime/tab-host.ts";

/** What the tabs of a browser have in common; undefined where it has no Web Locks (they want a secure page) or no broadcast channels. */
export function browserTabs(): TabHost | undefined {
  const { locks } = globalThis.navigator ?? {};
  if (locks === undefined || typeof BroadcastChannel === "undefined") return undefined;
  return {
    locks: {
      request: (name, options, hold) => locks.request(name, options as LockOptions, hold),
    },
    channel(name, hear) {
      const channel = new BroadcastChannel(name);
      channel.onmessage = ({ data }) => hear(data);
      return {
        post: (message) => channel.postMessage(message),
        close: () => channel.close(),
      };
    },
  };
}
