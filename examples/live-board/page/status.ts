import type { WarpClient } from "warp-edge/client";
import type { WarpStore } from "warp-edge/store";
import { byId } from "./dom.ts";

const words = {
  connecting: "connecting",
  live: "live",
  stale: "catching up",
  offline: "offline: what you see may be old",
  closed: "closed",
} as const;

/** Tells whether what is shown is the state, and how many changes wait to be sent. */
export function showStatus(client: WarpClient, store: WarpStore<unknown>): void {
  const badge = byId("status");
  const waiting = byId("waiting");
  const show = (): void => {
    const status = statusOf(client, store);
    badge.dataset.status = status;
    badge.textContent = words[status];
    const { size } = client.queue;
    waiting.hidden = size === 0;
    waiting.textContent = size === 1 ? "1 change waits to be sent" : `${size} changes wait to be sent`;
  };
  client.onStatus(show);
  client.queue.settled(show);
  store.subscribe(undefined, show);
  show();
}

function statusOf(client: WarpClient, store: WarpStore<unknown>): keyof typeof words {
  if (client.status === "closed" || store.status === "ended") return "closed";
  if (client.status === "offline") return "offline";
  if (store.status === "live") return "live";
  return client.status === "online" ? "stale" : "connecting";
}
