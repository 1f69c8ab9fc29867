import type { RelayBatch, RelayEntry } from "../../protocol/relay.ts";
import { maxRelayBatchBytes } from "../../runtime/relay-limits.ts";
import type { LogPosition } from "../published-log.ts";
import type { Residence } from "../residence.ts";
import type { WatchedLog } from "../watched-log.ts";

/** The log in pieces that one call to a relay carries. */
export class Batches {
  readonly #log: WatchedLog;
  readonly #residence: Pick<Residence, "open">;
  /** What relays that stand at one place share. */
  #shared: Map<string, RelayBatch> | undefined;

  constructor(log: WatchedLog, residence: Pick<Residence, "open">) {
    this.#log = log;
    this.#residence = residence;
  }

  /** In `work` the same is read once: not for longer, since it is large. */
  together(work: () => void): void {
    this.#shared = new Map();
    work();
    this.#shared = undefined;
  }

  /** The next entries after `after` up to `upTo`, which is durable; none where the log does not reach back so far. */
  after(after: number, upTo: LogPosition): RelayBatch {
    const key = `${upTo.epoch} ${after} ${upTo.revision}`;
    const batch = this.#shared?.get(key) ?? this.#read(after, upTo);
    this.#shared?.set(key, batch);
    return batch;
  }

  #read(after: number, { epoch, revision }: LogPosition): RelayBatch {
    const ledger = this.#residence.open();
    const rest = { epoch, floor: ledger?.log.floor ?? 0, shards: ledger?.space.shards ?? 0 };
    const page = after < revision ? this.#log.page(after, revision) : undefined;
    if (page === undefined) return { ...rest, after: revision, to: revision, entries: [] };
    const entries: RelayEntry[] = [];
    let bytes = 0;
    for (const head of page.heads) {
      const last = entries.at(-1)?.revision;
      if (bytes > maxRelayBatchBytes && last !== undefined && head.revision !== last) {
        return { ...rest, after, to: last, entries };
      }
      const payload = this.#log.payload(head);
      entries.push(payload === undefined ? head : { ...head, payload });
      bytes += head.key.length + (payload?.bytes.length ?? 0);
    }
    return { ...rest, after, to: page.to, entries };
  }
}
