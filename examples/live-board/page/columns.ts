import { isWarpError } from "warp-edge/client";
import type { StoreEntry, WarpStore } from "warp-edge/store";
import { type Card, type Column, columns, isCard, titles } from "./card.ts";
import { byId, element } from "./dom.ts";
import { notice } from "./notice.ts";

/** The cards, column by column: shows what the store has, and writes through it. */
export class Columns {
  readonly #store: WarpStore<Card>;
  readonly #prefix: string;
  readonly #me: () => string;
  readonly #lists = new Map<Column, HTMLUListElement>();
  readonly #cards = new Map<string, HTMLLIElement>();

  constructor(store: WarpStore<Card>, prefix: string, me: () => string) {
    this.#store = store;
    this.#prefix = prefix;
    this.#me = me;
    byId("columns").append(...columns.map((column) => this.#column(column)));
    store.subscribe(undefined, (keys) => {
      for (const key of keys) this.#show(key);
    });
    for (const key of store.snapshot().keys()) this.#show(key);
  }

  #column(column: Column): HTMLElement {
    const list = element("ul", { className: "cards" });
    list.addEventListener("dragover", (event) => event.preventDefault());
    list.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#change(event.dataTransfer?.getData("text/plain") ?? "", { column });
    });
    this.#lists.set(column, list);
    const input = element("input", {
      placeholder: "Add a card",
      ariaLabel: `Add a card to ${titles[column]}`,
      maxLength: 200,
    });
    const form = element("form", {}, input);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = input.value.trim();
      input.value = "";
      if (text !== "") this.#add(text, column);
    });
    const section = element("section", {}, element("h2", {}, titles[column]), list, form);
    section.dataset.column = column;
    return section;
  }

  #add(text: string, column: Column): void {
    // Keys in the order in which cards were made.
    const key = `${this.#prefix}${Date.now().toString(36)}-${crypto.randomUUID().slice(0, 8)}`;
    this.#write(this.#store.set(key, { text, column, by: this.#me() }, { ifVersion: 0 }));
  }

  /** Changes a card, if nobody else has changed it since it was shown. `version`: that of what was shown, where it is not the newest. */
  #change(key: string, change: Partial<Card>, version?: number): void {
    const entry = this.#store.get(key);
    if (entry === undefined || !isCard(entry.value)) return;
    const card = { ...entry.value, ...change, by: this.#me() };
    // While a write of our own is under way its version is not known; they are sent in order anyway.
    const condition = entry.pending ? {} : { ifVersion: version ?? entry.version };
    this.#write(this.#store.set(key, card, condition));
  }

  /** Of a write that waits to be sent the store tells when it is refused. */
  #write(writing: Promise<unknown>): void {
    writing.catch((error: unknown) => notice(refusal(error)));
  }

  #show(key: string): void {
    const entry = this.#store.get(key);
    const shown = this.#cards.get(key);
    if (entry === undefined || !isCard(entry.value)) {
      shown?.remove();
      this.#cards.delete(key);
      return;
    }
    const item = shown ?? this.#card(key);
    this.#fill(item, entry as StoreEntry<Card>);
    const list = this.#lists.get(entry.value.column);
    if (list === undefined || item.parentElement === list) return;
    const next = [...list.children].find((other) => ((other as HTMLElement).dataset.key ?? "") > key);
    list.insertBefore(item, next ?? null);
  }

  #card(key: string): HTMLLIElement {
    const text = element("textarea", { rows: 1, ariaLabel: "Card", maxLength: 200 });
    text.addEventListener("change", () =>
      this.#change(key, { text: text.value }, Number(text.dataset.version)),
    );
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        text.blur();
      }
    });
    // What came meanwhile was not put under the writer's hands.
    text.addEventListener("blur", () => this.#show(key));
    const move = (label: string, by: number) => {
      const button = element(
        "button",
        { type: "button", title: label, ariaLabel: label },
        by < 0 ? "‹" : "›",
      );
      button.addEventListener("click", () => this.#move(key, by));
      return button;
    };
    const remove = element("button", { type: "button", title: "Delete", ariaLabel: "Delete" }, "×");
    remove.addEventListener("click", () => this.#write(this.#store.delete(key)));
    const about = element("small", {});
    const foot = element("footer", {}, about, move("Move left", -1), move("Move right", 1), remove);
    const item = element("li", { className: "card", draggable: true }, text, foot);
    item.dataset.key = key;
    item.addEventListener("dragstart", (event) => event.dataTransfer?.setData("text/plain", key));
    this.#cards.set(key, item);
    return item;
  }

  #move(key: string, by: number): void {
    const card = this.#store.get(key)?.value;
    const column = card === undefined ? undefined : columns[columns.indexOf(card.column) + by];
    if (column !== undefined) this.#change(key, { column });
  }

  #fill(item: HTMLLIElement, { value, version, stale, pending }: StoreEntry<Card>): void {
    const text = item.querySelector("textarea");
    const about = item.querySelector("small");
    if (text === null || about === null) return;
    if (document.activeElement !== text) text.value = text.dataset.shown = value.text;
    // Whoever is writing has this text before them, and not a newer one.
    if (text.dataset.shown === value.text) text.dataset.version = String(version);
    about.textContent = pending ? `${value.by} · sending…` : `${value.by} · v${version}`;
    item.classList.toggle("pending", pending);
    item.classList.toggle("stale", stale && !pending);
  }
}

/** A refusal in the words of somebody who edits cards. */
export function refusal(error: unknown): string {
  if (isWarpError(error, "precondition_failed")) {
    return "Somebody else changed this card first: your change was taken back.";
  }
  if (isWarpError(error, "forbidden")) return "This token may not change that: it was taken back.";
  if (isWarpError(error) && error.outcome === "unknown") return "It is not known whether this was saved.";
  return `Not saved: ${error instanceof Error ? error.message : String(error)}`;
}
