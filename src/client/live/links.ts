import type { ClientHost, Signal } from "../../runtime/client-host.ts";
import { uuidv7 } from "../../runtime/ids.ts";
import { LiveLink } from "./link.ts";
import type { LinkParts } from "./link-types.ts";
import { Listeners } from "./listeners.ts";
import { TokenSource } from "./token-source.ts";
import type { ClientOptions, ClientStatus } from "./types.ts";

/** How soon what could not be done is tried again, if nothing changes before. */
const againMs = 1_000;

/** The ways to all shards of a space, and how they stand. */
export class LiveLinks {
  readonly changes = new Listeners<ClientStatus>();
  readonly token: TokenSource;
  readonly #host: ClientHost;
  readonly #parts: LinkParts;
  readonly #links = new Map<number, LiveLink>();
  readonly #unlisten: (() => void) | undefined;
  /** Whom the deployment took this client for last. */
  subject: string | undefined;
  #status: ClientStatus = "connecting";
  #isFrozen = false;
  #isHidden = false;
  #isClosed = false;
  /** By how much the deployment's clock is ahead of this one's. */
  #aheadMs = 0;

  constructor(
    options: ClientOptions & { readonly host: ClientHost },
    parts: Pick<LinkParts, "sockets" | "frames">,
  ) {
    const { host, url, space } = options;
    this.#host = host;
    this.token = new TokenSource(options.token, host, () => this.nowMs);
    const base = url.replace(/^http/i, "ws").replace(/\/+$/, "");
    this.#parts = {
      ...parts,
      host,
      token: this.token,
      node: this.newId(),
      url: (shard) => `${base}/v1/${encodeURIComponent(space)}/connect?shard=${shard}&follow=false`,
      isResting: () => this.#isResting,
      isHidden: () => this.#isHidden,
      welcomed: ({ nowMs, subject }) => {
        this.subject = subject;
        if (nowMs !== undefined) this.#aheadMs = nowMs - host.clock.now();
      },
      changed: () => this.#changed(),
    };
    this.#unlisten = host.signals?.listen((signal) => this.#heard(signal));
    this.#changed();
  }

  get status(): ClientStatus {
    return this.#status;
  }

  /** The time at the deployment, as far as it has told. */
  get nowMs(): number {
    return this.#host.clock.now() + this.#aheadMs;
  }

  newId(): string {
    return uuidv7({ now: () => this.nowMs }, this.#host.random);
  }

  at(shard: number): LiveLink {
    let link = this.#links.get(shard);
    if (link === undefined) {
      link = new LiveLink(shard, this.#parts);
      this.#links.set(shard, link);
      if (this.#isClosed) link.close();
    }
    return link;
  }

  /** Settles when what could not be done may be worth another try. */
  again(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        stop();
        cancel();
        resolve();
      };
      const stop = this.changes.listen((status) => {
        if (status !== "offline") done();
      });
      const cancel = this.#isResting ? () => {} : this.#host.timers.after(againMs, done);
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unlisten?.();
    for (const link of this.#links.values()) link.close();
    this.#changed();
  }

  get #isResting(): boolean {
    return this.#isFrozen || this.#host.signals?.isOffline === true;
  }

  #heard(signal: Signal): void {
    if (signal === "frozen" || signal === "resumed") this.#isFrozen = signal === "frozen";
    if (signal === "hidden" || signal === "visible") this.#isHidden = signal === "hidden";
    for (const link of this.#links.values()) {
      if (this.#isResting) link.rest();
      else if (signal !== "hidden") link.wake();
    }
    this.#changed();
  }

  #changed(): void {
    const standings = [...this.#links.values()].map(({ standing }) => standing);
    const status = this.#isClosed
      ? "closed"
      : this.#isResting || standings.includes("failing")
        ? "offline"
        : standings.includes("connecting")
          ? "connecting"
          : standings.includes("open")
            ? "online"
            : this.#status;
    if (status === this.#status) return;
    this.#status = status;
    this.changes.tell(status);
  }
}
