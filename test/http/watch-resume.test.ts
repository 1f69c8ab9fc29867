import { describe, expect, it } from "vitest";
import { host } from "#host";
import { EventStreamParser } from "../support/event-stream.ts";
import { seeded } from "../support/seeded.ts";
import { HttpWatchBed } from "./watch-bed.ts";

/** An application that watches as `EventSource` does: from stream to stream by the last id, and may break off in the middle of bytes. */
class Application {
  readonly state = new Map<string, string>();
  /** All changes since the last gap, as `revision kind key`. */
  told: string[] = [];
  gaps = 0;
  ends = 0;
  readonly #bed: HttpWatchBed;
  #parser = new EventStreamParser();
  #taken = 0;
  #leave: () => Promise<void> = async () => {};
  #id = "";
  #readsOn = 0;
  #share = 1;

  constructor(bed: HttpWatchBed) {
    this.#bed = bed;
  }

  /** The next stream. */
  async connect(): Promise<void> {
    await this.leave();
    const headers: Record<string, string> = this.#id === "" ? {} : { "Last-Event-ID": this.#id };
    const response = await this.#bed.send("watch?prefix=&ops=set,delete&from=snapshot", { headers });
    if (response.body === null || response.status !== 200) throw new Error(await response.text());
    const reader = response.body.getReader();
    const life = ++this.#readsOn;
    this.#share = 1;
    this.#parser = new EventStreamParser();
    this.#taken = 0;
    const read = async (): Promise<void> => {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        // What comes after it has left is lost.
        if (this.#readsOn === life) this.#take(value);
      }
      if (this.#readsOn === life) this.ends++;
    };
    void read();
    this.#leave = async () => {
      this.#readsOn++;
      await reader.cancel();
    };
    await this.#bed.settle();
  }

  async leave(): Promise<void> {
    await this.#leave();
    this.#leave = async () => {};
  }

  /** It breaks off in the middle of the next bytes: what of them makes whole events counts. */
  breakOff(share: number): void {
    this.#share = share;
  }

  #take(bytes: Uint8Array): void {
    this.#parser.push(bytes.subarray(0, Math.ceil(bytes.length * this.#share)));
    if (this.#share < 1) this.#readsOn++;
    for (const { type, data } of this.#parser.events.slice(this.#taken)) this.#event(type, JSON.parse(data));
    this.#taken = this.#parser.events.length;
    if (this.#parser.lastEventId !== "") this.#id = this.#parser.lastEventId;
  }

  #event(
    type: string,
    item: { key: string; text: string; revision: number; first?: boolean } & Record<string, unknown>,
  ): void {
    if (type === "gap") this.gaps++;
    if (type === "snapshot") {
      if (item.first === true) this.state.clear();
      this.told = [];
      for (const { key, text } of item.entries as { key: string; text: string }[]) this.state.set(key, text);
    }
    if (type === "set") this.state.set(item.key, item.text);
    if (type === "delete") this.state.delete(item.key);
    if (type === "set" || type === "delete") this.told.push(`${item.revision} ${type} ${item.key}`);
  }
}

describe("resuming a stream of events", () => {
  it("WA2 WA3 WA4 over 30 seeds of lost streams, broken sockets, new instances, rotations and a trimmed log: each change once and in order, or a gap and then the state", async () => {
    const seen = { gaps: 0, ends: 0, streams: 0 };
    for (let seed = 1; seed <= 30; seed++) {
      await host.withSql(async (sql) => {
        const random = seeded(seed);
        const bed = await HttpWatchBed.create(sql, { rotateMs: 20_000 });
        const model = new Map<string, string>();
        const log: string[] = [];
        let revision = 0;
        const write = async (): Promise<void> => {
          const key = `k${random.below(4)}`;
          if (random.below(4) === 0) {
            await bed.send(`keys/${key}`, { method: "DELETE" });
            if (model.delete(key)) log.push(`${++revision} delete ${key}`);
          } else {
            const text = `${revision}\n${random.below(9)}`;
            await bed.send(`keys/${key}`, {
              method: "PUT",
              body: text,
              headers: { "Content-Type": "text/plain" },
            });
            model.set(key, text);
            log.push(`${++revision} set ${key}`);
          }
        };
        await write();
        const before = log.length;
        const application = new Application(bed);
        await application.connect();
        let ends = 0;
        for (let step = 0; step < 30; step++) {
          const dice = random.below(20);
          if (dice === 0) bed.wires.at(-1)?.cut();
          else if (dice === 1) bed.shard.restart(random.below(2) === 0);
          else if (dice < 4) {
            seen.streams++;
            await application.connect();
          } else if (dice === 19) {
            application.breakOff(random.below(100) / 100);
            for (let times = random.below(3); times >= 0; times--) await write();
            await bed.pass(100);
            await application.connect();
          } else if (dice === 4) await bed.pass(random.below(30_000), 30_000);
          else if (dice === 5 && random.below(2) === 0) {
            // The log keeps what op ids need, and is trimmed with the next write.
            await application.leave();
            for (let times = 0; times < 3; times++) {
              await bed.pass(400_000, 400_000);
              await write();
            }
            await application.connect();
          } else if (dice < 8) await bed.pass(random.below(40), 40);
          else await write();
          if (application.ends > ends) {
            ends = application.ends;
            await application.connect();
          }
        }
        await application.connect();
        await bed.pass(60_000, 30_000);
        if (application.ends > ends) await application.connect();
        await bed.pass(100);
        expect(Object.fromEntries(application.state), `seed ${seed}`).toEqual(Object.fromEntries(model));
        const { told } = application;
        expect(log.slice(log.length - told.length), `seed ${seed}`).toEqual(told);
        if (application.gaps === 0) expect(told, `seed ${seed}`).toEqual(log.slice(before));
        expect(bed.logged).toEqual([]);
        seen.gaps += application.gaps;
        seen.ends += application.ends;
      });
    }
    console.log(`streams of events: ${seen.streams} left, ${seen.ends} rotated, ${seen.gaps} gaps`);
    expect(seen.gaps).toBeGreaterThan(0);
    expect(seen.ends).toBeGreaterThan(0);
  });
});
