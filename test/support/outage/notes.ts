import type { Value } from "../twin/calls.ts";

/** A write of a key that one client alone writes. */
export interface NotedWrite {
  readonly key: string;
  readonly value: Value;
  readonly node: string;
  readonly sentMs: number;
  readonly ackMs: number;
  readonly provisional: boolean;
}

/** A read of such a key. */
export interface NotedRead {
  readonly key: string;
  readonly value: Value;
  readonly node: string;
  readonly sentMs: number;
  readonly ackMs: number;
  readonly cache: string;
  readonly marked: boolean;
}

/** Everything that was done and seen in a run, and how calls ended. */
export class Notes {
  readonly writes: NotedWrite[] = [];
  readonly reads: NotedRead[] = [];
  /** What was added to counters, by key. */
  readonly added = new Map<string, number>();
  /** What was appended to lists, by key: each client's in its order. */
  readonly appended = new Map<string, string[]>();
  /** How calls ended, by node and kind, in the time of the outage and apart from it. */
  readonly ends = new Map<string, number>();
  readonly violations: string[] = [];
  unknown = 0;

  end(node: string, phase: string, kind: string, end: string): void {
    const name = `${phase} ${node} ${kind}: ${end}`;
    this.ends.set(name, (this.ends.get(name) ?? 0) + 1);
  }

  add(key: string, amount: number): void {
    this.added.set(key, (this.added.get(key) ?? 0) + amount);
  }

  append(key: string, element: string): void {
    const list = this.appended.get(key) ?? [];
    list.push(element);
    this.appended.set(key, list);
  }

  /** The last acknowledged value of each key. Each has one writer, so the last is the present one. */
  get present(): ReadonlyMap<string, Value> {
    return new Map(this.writes.map(({ key, value }) => [key, value]));
  }

  /** How many calls ended so, over all nodes named. */
  count(of: (name: string) => boolean): number {
    let sum = 0;
    for (const [name, count] of this.ends) if (of(name)) sum += count;
    return sum;
  }
}

/**
 * Reads that say nothing of being old and miss a write that its shard had acknowledged more than `boundMs` before they were sent (rule SB3), and reads of a writer's own node that miss
 * what it had been told, provisional or not (rule CO4).
 */
export function missedWrites({ writes, reads }: Notes, boundMs: number): string[] {
  const byKey = Map.groupBy(writes, ({ key }) => key);
  const wrong: string[] = [];
  for (const read of reads) {
    const own = byKey.get(read.key) ?? [];
    for (const write of own) {
      // A key's values only grow.
      if (read.value !== null && write.value !== null && read.value >= write.value) continue;
      const isOwn = write.node === read.node && write.ackMs < read.sentMs;
      const isDue = !write.provisional && !read.marked && write.ackMs + boundMs < read.sentMs;
      if (!isOwn && !isDue) continue;
      wrong.push(
        `${isOwn ? "CO4" : "SB3"}: ${JSON.stringify({ read, write, age: read.sentMs - write.ackMs })}`,
      );
      break;
    }
  }
  return wrong;
}
