/** The board: cards that are the same in every page that shows them, and stay at hand without a network. */

import { createClient } from "warp-edge/client";
import { tabSharing } from "warp-edge/client/tabs";
import { createStore, indexedDbPersistence } from "warp-edge/store";
import { Activity } from "./activity.ts";
import type { Card } from "./card.ts";
import { Columns, refusal } from "./columns.ts";
import { byId } from "./dom.ts";
import { notice } from "./notice.ts";
import { People } from "./people.ts";
import { showStatus } from "./status.ts";

interface Config {
  readonly warp: string;
  readonly space: string;
  readonly prefix: string;
  /** Whether the deployment asks for tokens. */
  readonly tokens: boolean;
}

/** The last one is kept: the page also opens while the network is away, if the browser has it. */
async function loadConfig(): Promise<Config> {
  try {
    const text = await (await fetch("/config.json")).text();
    localStorage.setItem("config", text);
    return JSON.parse(text) as Config;
  } catch (error) {
    const last = localStorage.getItem("config");
    if (last === null) throw error;
    return JSON.parse(last) as Config;
  }
}

/** Asked before each connection, and before a token ends. */
async function token(): Promise<string> {
  const response = await fetch("/token", { method: "POST" });
  if (!response.ok) throw new Error(await response.text());
  return await response.text();
}

const { warp, space, prefix, tokens } = await loadConfig();
const client = createClient({ url: warp, space, share: tabSharing(), ...(tokens && { token }) });
const store = createStore<Card>({
  client,
  prefix,
  persistence: indexedDbPersistence(`board:${space}`),
  onError: (error, key) => notice(key === undefined ? error.message : refusal(error)),
});
const activity = new Activity(space);

const name = byId("name") as HTMLInputElement;
name.value = localStorage.getItem("name") ?? `guest ${Math.floor(Math.random() * 900) + 100}`;
const me = () => name.value.trim() || "somebody";
const people = new People(me);
name.addEventListener("input", () => {
  localStorage.setItem("name", name.value);
  people.tell();
});

new Columns(store, prefix, me);
showStatus(client, store);
// For the console, and for the tests of this page.
Object.assign(globalThis, { board: { client, store, activity, people } });
await store.init({ session: "board" });
await activity.follow(client, prefix, people.presence);
