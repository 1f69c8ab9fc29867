import type { Kernel } from "./kernel.ts";
import type { Wire } from "./wire.ts";

/** One acknowledged invalidation of keys, as it was seen at the shard's end of a socket. */
export interface Confirmation {
  /** The node that dropped them, and its zone, as it said in its `hello`. */
  readonly node: string;
  readonly zone: string | undefined;
  readonly keys: readonly string[];
  /** The world's marks of when it was told, and when its acknowledgement arrived; undefined: it has not. */
  readonly told: number;
  acknowledged: number | undefined;
}

/** What a shard's storage has when something is sent. */
export interface Durably {
  /** The newest revision on the disk. */
  readonly head: number;
  /** Rows of intents that the sender sees. */
  readonly intents: number;
}

interface Invalidated {
  readonly n: number;
  readonly confirmation: Confirmation;
}

/** Looks at the shard's ends of its sockets: what is told of must be stored (rules SB1, ST2), and who has confirmed what (rule ST7). */
export class HubWatch {
  readonly confirmations: Confirmation[] = [];
  readonly wrongs: { readonly rule: string; readonly what: string }[] = [];
  readonly #kernel: Kernel;
  readonly #said = new WeakMap<Wire, { readonly node: string; readonly zone?: string }>();
  readonly #open = new WeakMap<Wire, Invalidated[]>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  received(wire: Wire, data: string): void {
    if (data.startsWith('{"t":"hello"')) this.#said.set(wire, JSON.parse(data));
    if (!data.startsWith('{"t":"ack"')) return;
    const { inv } = JSON.parse(data) as { readonly inv: number };
    for (const { n, confirmation } of this.#open.get(wire) ?? [])
      if (n <= inv) confirmation.acknowledged ??= this.#kernel.mark();
  }

  /** `durably` is asked only where it matters. */
  sent(wire: Wire, data: string, durably: () => Durably): void {
    if (data.startsWith('{"t":"ev"')) {
      const { to } = JSON.parse(data) as { readonly to: number };
      const { head } = durably();
      if (to > head)
        this.#wrong("SB1", `entries up to ${to} are told of, and the disk has them up to ${head}`);
    }
    if (!data.startsWith('{"t":"inv"')) return;
    const { n, keys = [] } = JSON.parse(data) as { readonly n: number; readonly keys?: readonly string[] };
    const said = this.#said.get(wire);
    if (keys.length === 0 || said === undefined) return;
    if (durably().intents === 0)
      this.#wrong("ST2", `${keys.join(", ")} is invalidated under no stored intent`);
    const { node, zone } = said;
    const confirmation = { node, zone, keys, told: this.#kernel.mark(), acknowledged: undefined };
    this.confirmations.push(confirmation);
    const open = this.#open.get(wire) ?? [];
    open.push({ n, confirmation });
    this.#open.set(wire, open);
  }

  #wrong(rule: string, what: string): void {
    this.wrongs.push({ rule, what });
  }
}
