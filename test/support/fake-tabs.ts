import type { ClientHost } from "../../src/runtime/client-host.ts";
import type { TabChannel, TabHost } from "../../src/runtime/tab-host.ts";

interface Request {
  readonly tab: FakeTab;
  readonly grant: () => void;
  readonly lose: (error: Error) => void;
  isOver: boolean;
}

/** What the tabs of one browser share: locks by name, channels by name. */
export class FakeBrowser {
  readonly #locks = new Map<string, Request[]>();
  readonly #channels = new Map<
    string,
    Set<{ readonly tab: FakeTab; readonly hear: (message: unknown) => void }>
  >();
  #arriving: Promise<void> = Promise.resolve();

  tab(): FakeTab {
    return new FakeTab(this);
  }

  /** Locks that are held. */
  get held(): number {
    return [...this.#locks.values()].filter((queue) => queue.length > 0).length;
  }

  request(
    tab: FakeTab,
    name: string,
    { signal, steal }: { readonly signal?: AbortSignal; readonly steal?: boolean },
    hold: () => Promise<void>,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const queue = this.#locks.get(name) ?? [];
      this.#locks.set(name, queue);
      const end = (error?: Error): void => {
        if (request.isOver) return;
        request.isOver = true;
        const wasFirst = queue[0] === request;
        queue.splice(queue.indexOf(request), 1);
        tab.take(() => (error === undefined ? resolve(undefined) : reject(error)));
        if (wasFirst) queue[0]?.grant();
      };
      const request: Request = {
        tab,
        isOver: false,
        lose: end,
        grant: () =>
          void Promise.resolve().then(() => {
            tab.take(() => {
              if (!request.isOver) void hold().then(() => end());
            });
          }),
      };
      if (steal === true) {
        const [holder] = queue;
        queue.splice(1, 0, request);
        holder?.lose(new Error("AbortError: stolen"));
        if (holder === undefined) request.grant();
        return;
      }
      signal?.addEventListener("abort", () => queue[0] !== request && end(new Error("AbortError")), {
        once: true,
      });
      queue.push(request);
      if (queue[0] === request) request.grant();
    });
  }

  channel(tab: FakeTab, name: string, hear: (message: unknown) => void): TabChannel {
    const all = this.#channels.get(name) ?? new Set();
    this.#channels.set(name, all);
    const own = { tab, hear };
    all.add(own);
    return {
      post: (message) => {
        if (!all.has(own) || tab.isDead) return;
        const data = structuredClone(message);
        const others = [...all].filter((one) => one !== own);
        // In the order of posting, each in a turn of its own.
        this.#arriving = this.#arriving.then(() => {
          for (const other of others)
            if (all.has(other) && !other.tab.isDead) other.tab.take(() => other.hear(data));
        });
      },
      close: () => void all.delete(own),
    };
  }

  /** The tab is gone without a word: its locks are free, its channels closed. */
  kill(tab: FakeTab): void {
    for (const queue of this.#locks.values())
      for (const request of [...queue]) if (request.tab === tab) request.lose(new Error("gone"));
    for (const all of this.#channels.values())
      for (const one of [...all]) if (one.tab === tab) all.delete(one);
  }
}

export class FakeTab implements TabHost {
  isDead = false;
  readonly #browser: FakeBrowser;
  #stalled: (() => void)[] | undefined;

  constructor(browser: FakeBrowser) {
    this.#browser = browser;
  }

  readonly locks: TabHost["locks"] = {
    request: (name, options, hold) => this.#browser.request(this, name, options, hold),
  };

  channel(name: string, hear: (message: unknown) => void): TabChannel {
    return this.#browser.channel(this, name, hear);
  }

  /** What happens to the tab: now, when it goes on, or never. */
  take(event: () => void): void {
    if (this.isDead) return;
    if (this.#stalled === undefined) event();
    else this.#stalled.push(event);
  }

  /** Timers and sockets of the tab. */
  within(host: Pick<ClientHost, "timers" | "sockets">): Pick<ClientHost, "timers" | "sockets"> {
    return {
      timers: { after: (delayMs, run) => host.timers.after(delayMs, () => this.take(run)) },
      sockets: {
        open: (url, protocols, events) => {
          if (this.isDead) return { send() {}, close() {}, bufferedBytes: 0 };
          return host.sockets.open(url, protocols, {
            opened: () => this.take(() => events.opened()),
            message: (data) => this.take(() => events.message(data)),
            closed: (code, reason) => this.take(() => events.closed(code, reason)),
          });
        },
      },
    };
  }

  /** Nothing happens in it until it goes on, as in a page that its debugger holds. */
  stall(): void {
    this.#stalled ??= [];
  }

  goOn(): void {
    const heard = this.#stalled ?? [];
    this.#stalled = undefined;
    for (const message of heard) message();
  }

  kill(): void {
    this.isDead = true;
    this.#browser.kill(this);
  }
}
