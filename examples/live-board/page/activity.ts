import type { WarpClient, WatchedItem } from "warp-edge/client";
import type { Presence } from "warp-edge/client/presence";
import { isCard } from "./card.ts";
import { byId, element } from "./dom.ts";

/** An event as it was told. */
export interface Told {
  readonly kind: string;
  readonly key: string;
  readonly version: number;
  readonly shard: number;
  readonly revision: number;
  readonly text?: string;
}

const shown = 40;
const kept = 5_000;

/**
 * Everything that a watch of the board tells, in its order. What was told and the cursor behind it are kept together for as long as the tab lives, so that a reload goes on where the page was.
 */
export class Activity {
  readonly told: Told[];
  /** Times that the watch could not tell what had happened. */
  gaps = 0;
  #cursor: string | undefined;
  readonly #name: string;
  readonly #list = byId("activity");

  constructor(name: string) {
    this.#name = `activity:${name}`;
    const { told = [], cursor } = JSON.parse(sessionStorage.getItem(this.#name) ?? "{}") as {
      told?: Told[];
      cursor?: string;
    };
    this.told = told;
    this.#cursor = cursor;
    for (const one of told.slice(-shown)) this.#show(one);
    addEventListener("pagehide", () => this.#keep());
  }

  async follow(client: WarpClient, prefix: string, presence: Presence): Promise<void> {
    const from = this.#cursor === undefined ? "now" : { cursor: this.#cursor };
    const watch = client.watch({ prefix }, { from, presence });
    await watch.ready;
    this.#cursor = watch.cursor;
    for await (const item of watch) {
      this.#take(item);
      // While a snapshot is under way there is none: a reload then begins with the gap again.
      this.#cursor = watch.cursor ?? this.#cursor;
    }
  }

  #take(item: WatchedItem): void {
    if (item.kind === "gap") this.gaps++;
    if (!("key" in item)) return;
    const { kind, key, version, shard, revision } = item;
    const value = "value" in item ? item.value : undefined;
    const told = { kind, key, version, shard, revision, ...(isCard(value) ? { text: value.text } : {}) };
    this.told.push(told);
    if (this.told.length > kept) this.told.shift();
    this.#show(told);
  }

  #show({ kind, key, version, text }: Told): void {
    const line = element(
      "li",
      {},
      element("b", {}, kind),
      ` ${text ?? key} `,
      element("small", {}, `v${version}`),
    );
    this.#list.prepend(line);
    while (this.#list.children.length > shown) this.#list.lastElementChild?.remove();
  }

  #keep(): void {
    sessionStorage.setItem(this.#name, JSON.stringify({ told: this.told, cursor: this.#cursor }));
  }
}
