import type { Fallback, Proposal, StreamPlace } from "../../src/fallback/fallback.ts";
import { memoryFallback } from "../../src/fallback/memory/memory-fallback.ts";
import { MemoryStreams } from "../../src/fallback/memory/memory-streams.ts";
import type { StreamFaults } from "../../src/fallback/memory/stream-faults.ts";
import type { Mutation } from "../../src/protocol/shard-api.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { openFollower } from "../../src/shard/fallback/follower.ts";
import type { ShardOptions } from "../../src/shard/shard.ts";
import { expectReply, ShardBed } from "./shard-bed.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** A shard with a stream in memory around it, on virtual time. */
export class StreamBed extends ShardBed {
  readonly time: VirtualClock;
  readonly streams: MemoryStreams;
  /** What a node has. */
  readonly stream: Fallback;
  readonly reports: string[];
  faults: StreamFaults;

  private constructor(sql: Sql, time: VirtualClock, options: Partial<ShardOptions>) {
    const streams = new MemoryStreams(time);
    const reports: string[] = [];
    const open = () =>
      memoryFallback({ streams, timers: time, faults: (call, shard) => this.faults(call, shard) });
    super(sql, {
      clock: time,
      timers: time,
      fallbacks: { names: ["memory"], load: async () => ({ openFollower }), open },
      report: (message) => void reports.push(message),
      alarm: {
        set: (atMs) => {
          this.alarmMs = atMs;
        },
      },
      ...options,
    });
    this.time = time;
    this.streams = streams;
    this.reports = reports;
    this.faults = () => undefined;
    this.stream = memoryFallback({ streams, timers: time });
  }

  /** A space with a fallback; nothing goes wrong unless told so. */
  static async open(sql: Sql, options: Partial<ShardOptions> = {}): Promise<StreamBed> {
    const bed = new StreamBed(sql, virtualClock(), options);
    bed.nowMs = bed.time.now();
    await bed.create({ fallback: "memory" });
    await bed.time.settle();
    return bed;
  }

  /** Lets time pass, alarms going off as they are set. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.time.now() + ms;
    for (;;) {
      const { alarmMs } = this;
      if (alarmMs === undefined || alarmMs > untilMs) break;
      await this.time.advance(Math.max(0, alarmMs - this.time.now()));
      this.alarmMs = undefined;
      const done = this.shard.onAlarm();
      await this.time.settle();
      void done;
      if (this.alarmMs !== undefined && this.alarmMs <= this.time.now()) await this.time.advance(1);
    }
    await this.time.advance(Math.max(0, untilMs - this.time.now()));
    this.nowMs = this.time.now();
  }

  proposal(mutation: Partial<Mutation> = {}): Proposal {
    this.nowMs = this.time.now();
    const { kind = "set" } = mutation;
    const payload = { bytes: utf8("proposed"), contentType: "text/plain" };
    const value = kind === "merge" ? { operand: payload } : kind === "set" ? { payload } : {};
    const whole = { kind, opId: this.opId(), key: "k", ...value, ...mutation } as Mutation;
    return {
      mutation: whole,
      spaceId: this.spaceId ?? "",
      registrations: 0,
      node: "node-1",
      atMs: this.time.now(),
    };
  }

  set_(key: string, value: string): Proposal {
    return this.proposal({ kind: "set", key, payload: { bytes: utf8(value), contentType: "text/plain" } });
  }

  async propose(...proposals: Proposal[]): Promise<StreamPlace> {
    return (await this.stream.append(0, proposals)).at(-1) ?? "";
  }

  /** Reads as a node that has proposed something. */
  async drained(place: StreamPlace, key: string): Promise<string | undefined> {
    const asked = this.shard.read({ ...this.scope(), keys: [key], drain: place });
    await this.time.settle();
    const [entry] = expectReply(await asked).entries;
    return entry ? new TextDecoder().decode(entry.payload.bytes) : undefined;
  }

  async usage() {
    return expectReply(await this.shard.usage(this.scope())).fallback;
  }
}
