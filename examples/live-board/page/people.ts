import { Presence } from "warp-edge/client/presence";
import { byId, element } from "./dom.ts";

/** What a page shows of whoever uses it. */
interface Person {
  readonly name: string;
  /** The card that has the keyboard. */
  readonly editing?: string;
}

/** What others may show is looked at before it is shown. */
function isPerson(value: unknown): value is Person {
  return typeof value === "object" && value !== null && typeof (value as Partial<Person>).name === "string";
}

/** Who has the board open, and which card each is writing on. Each tab is somebody, also where tabs share a connection. */
export class People {
  readonly presence = new Presence<Person>();
  readonly #name: () => string;

  constructor(name: () => string) {
    this.#name = name;
    this.presence.onChange(() => this.#show());
    // Who reads on is here, too; who has looked away is not writing.
    addEventListener("focusin", () => this.tell());
    addEventListener("focusout", () => this.tell());
    this.tell();
  }

  /** Says who this is and what has the keyboard. */
  tell(): void {
    const card = document.activeElement?.closest<HTMLElement>(".card")?.dataset.key;
    const { shown } = this.presence;
    const now = { name: this.#name(), ...(card !== undefined && { editing: card }) };
    if (shown?.name !== now.name || shown.editing !== now.editing) this.presence.show(now);
  }

  #show(): void {
    const { members, me, count, isCurrent } = this.presence;
    const list = byId("people");
    const people = [...members].filter((entry): entry is [string, Person] => isPerson(entry[1]));
    list.replaceChildren(
      ...people.map(([member, { name }]) =>
        element("li", { className: member === me ? "me" : "" }, member === me ? `${name} (you)` : name),
      ),
    );
    // Too many to be told by name.
    if (count > members.size) list.replaceChildren(element("li", {}, `${count} people`));
    list.classList.toggle("stale", !isCurrent);
    for (const card of document.querySelectorAll<HTMLElement>(".card")) {
      const writers = people.filter(([member, { editing }]) => member !== me && editing === card.dataset.key);
      card.dataset.writers = writers.map(([, { name }]) => name).join(", ");
    }
  }
}
