import { closeCodes } from "../../protocol/wire/frames.ts";
import type { ClientHost } from "../../runtime/client-host.ts";
import { tabSilenceMs } from "../../runtime/limits.ts";
import type { Socket, SocketEvents } from "../../runtime/socket.ts";
import type { TabChannel, TabHost } from "../../runtime/tab-host.ts";
import type { LineName, TabMessage } from "./messages.ts";
import { bringsOtherRights } from "./scope.ts";
import { type SharedLine, SharedSocket } from "./shared-socket.ts";

/** One socket that this tab believes to have. */
interface Line {
  readonly number: number;
  readonly protocols: readonly string[];
  readonly events: SocketEvents;
  /** Who carries it; undefined: nobody has taken it yet. */
  leader: string | undefined;
  /** In this tab, where it leads. */
  shared: SharedLine | undefined;
  cancelTimer: () => void;
}

/** What a {@link TabGroup} is made of. */
export interface TabGroupParts {
  readonly name: string;
  /** This tab. */
  readonly tab: string;
  readonly url: string;
  readonly tabs: TabHost;
  readonly host: ClientHost;
  readonly ended: () => void;
}

/** This tab's part in a group of tabs that share one socket: a line at the leader, or the leader itself, with the lines of all. */
export class TabGroup {
  readonly #parts: TabGroupParts;
  readonly #channel: TabChannel;
  readonly #leaving = new AbortController();
  readonly #lines = new Map<number, Line>();
  /** As the leader: the lines of other tabs. */
  readonly #guests = new Map<string, SharedLine>();
  readonly #watchedTabs = new Set<string>();
  #shared: SharedSocket | undefined;
  #protocols: readonly string[] = [];
  /** Lets go of the lock; defined while this tab leads. */
  #release: (() => void) | undefined;
  #isOver = false;
  #nextLine = 1;

  constructor(parts: TabGroupParts) {
    this.#parts = parts;
    const { tabs, name, tab } = parts;
    this.#channel = tabs.channel(name, (message) => this.#hear(message as TabMessage));
    const { signal } = this.#leaving;
    // As long as it is held, the tab lives.
    void tabs.locks.request(`${name}/${tab}`, { signal }, () => this.#left).catch(() => {});
    this.#seek({ signal });
  }

  open(protocols: readonly string[], events: SocketEvents): Socket {
    const number = this.#nextLine++;
    const line: Line = {
      number,
      protocols,
      events,
      leader: undefined,
      shared: undefined,
      cancelTimer: () => {},
    };
    this.#lines.set(number, line);
    this.#ask(line);
    return {
      send: (data) => this.#send(line, data as string),
      close: () => this.#close(line),
      bufferedBytes: 0,
    };
  }

  /** This tab takes no part any more: where it leads, another one will. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#resign();
    this.#leaving.abort();
    for (const line of [...this.#lines.values()]) this.#ended(line, closeCodes.restarting, "");
    this.#channel.close();
    this.#parts.ended();
  }

  get #left(): Promise<void> {
    return new Promise((resolve) => this.#leaving.signal.addEventListener("abort", resolve, { once: true }));
  }

  #post(message: TabMessage): void {
    this.#channel.post(message);
  }

  /** Becomes the leader when nobody else is; `steal`: though somebody is. */
  #seek(options: { readonly signal?: AbortSignal; readonly steal?: boolean }): void {
    const { tabs, name } = this.#parts;
    tabs.locks
      .request(name, options, async () => {
        if (this.#isOver || this.#release !== undefined) return;
        const held = new Promise<void>((resolve) => {
          this.#release = resolve;
        });
        this.#lead();
        await held;
      })
      .catch(() => {
        // Another one leads now, or this tab takes no part any more.
        if (this.#isOver) return;
        this.#resign();
        this.#seek({ signal: this.#leaving.signal });
      });
  }

  #lead(): void {
    this.#post({ k: "lead", leader: this.#parts.tab });
    this.#newLeader(this.#parts.tab);
  }

  /** What it carries for others ends; they find the next leader. */
  #resign(): void {
    this.#release?.();
    this.#release = undefined;
    this.#shared?.end(closeCodes.restarting, "another tab leads");
    this.#shared = undefined;
    this.#guests.clear();
  }

  #newLeader(leader: string): void {
    for (const line of [...this.#lines.values()]) {
      if (line.leader === undefined) this.#ask(line);
      else if (line.leader !== leader) this.#ended(line, closeCodes.restarting, "another tab leads");
    }
  }

  #ask(line: Line): void {
    const { tab, host } = this.#parts;
    const { number, protocols, events } = line;
    line.cancelTimer();
    if (this.#release !== undefined) {
      line.leader = tab;
      const shared: SharedLine = {
        // Not before whoever opened it has it.
        opened: () => void Promise.resolve().then(() => this.#lines.has(number) && events.opened()),
        receive: (data) => events.message(data),
        ended: (code, reason) => this.#ended(line, code, reason),
      };
      line.shared = shared;
      this.#carry(shared, protocols);
      return;
    }
    this.#post({ k: "open", tab, line: number, protocols });
    // A leader that does not answer is stopped by its debugger, or has lost its way: the lock is taken from it.
    line.cancelTimer = host.timers.after(tabSilenceMs, () => {
      if (line.leader === undefined && this.#lines.has(number)) this.#seek({ steal: true });
    });
  }

  /** As the leader: takes a line over the one socket, which is opened with the first. */
  #carry(line: SharedLine, protocols: readonly string[]): void {
    this.#protocols = protocols;
    if (this.#shared === undefined) {
      const { host, url, tab } = this.#parts;
      const shared: SharedSocket = new SharedSocket(
        host,
        url,
        this.#protocols,
        (data) => {
          this.#post({ k: "all", leader: tab, data });
          for (const { leader, events } of [...this.#lines.values()])
            if (leader === tab) events.message(data);
        },
        () => {
          if (this.#shared === shared) this.#shared = undefined;
        },
      );
      this.#shared = shared;
    }
    this.#shared.add(line);
  }

  #drop(line: SharedLine | undefined): void {
    if (line === undefined) return;
    this.#shared?.remove(line);
    if (this.#shared?.isUnused !== true) return;
    this.#shared.end(1000, "");
    this.#shared = undefined;
  }

  #send(line: Line, data: string): void {
    const { tab, url, name } = this.#parts;
    if (bringsOtherRights(data, url, name)) {
      // What it may do from now on is not what the others may: it comes again, and finds its group.
      this.#close(line);
      line.events.closed(closeCodes.restarting, "other rights");
      return;
    }
    if (line.shared !== undefined) this.#shared?.say(line.shared, data);
    else if (line.leader !== undefined)
      this.#post({ k: "send", tab, line: line.number, leader: line.leader, data });
  }

  #close(line: Line): void {
    if (!this.#lines.delete(line.number)) return;
    line.cancelTimer();
    const { tab } = this.#parts;
    if (line.shared !== undefined) this.#drop(line.shared);
    else if (line.leader !== undefined)
      this.#post({ k: "close", tab, line: line.number, leader: line.leader });
  }

  #ended(line: Line, code: number, reason: string): void {
    if (!this.#lines.delete(line.number)) return;
    line.cancelTimer();
    line.events.closed(code, reason);
  }

  #hear(message: TabMessage): void {
    if (this.#isOver) return;
    const { tab } = this.#parts;
    switch (message.k) {
      case "lead":
        this.#newLeader(message.leader);
        return;
      case "all":
        for (const { leader, events } of [...this.#lines.values()])
          if (leader === message.leader) events.message(message.data);
        return;
      case "open":
        if (this.#release !== undefined) this.#welcome(message, message.protocols);
        return;
      case "send":
      case "close": {
        if (message.leader !== tab) return;
        const guest = this.#guests.get(nameOf(message));
        if (message.k === "send" && guest !== undefined) this.#shared?.say(guest, message.data);
        else if (guest !== undefined) this.#forget(nameOf(message));
        return;
      }
    }
    const line = message.tab === tab ? this.#lines.get(message.line) : undefined;
    if (line === undefined) return;
    if (message.k === "taken") {
      line.leader ??= message.leader;
      line.cancelTimer();
    } else if (message.leader !== line.leader) return;
    else if (message.k === "opened") line.events.opened();
    else if (message.k === "data") line.events.message(message.data);
    else if (message.k === "ended") this.#ended(line, message.code, message.reason);
  }

  /** As the leader: a line of another tab. */
  #welcome({ tab, line }: LineName, protocols: readonly string[]): void {
    const leader = this.#parts.tab;
    const name = nameOf({ tab, line });
    // It has asked twice.
    if (this.#guests.has(name)) return;
    const guest: SharedLine = {
      opened: () => this.#post({ k: "opened", tab, line, leader }),
      receive: (data) => this.#post({ k: "data", tab, line, leader, data }),
      ended: (code, reason) => {
        this.#guests.delete(name);
        this.#post({ k: "ended", tab, line, leader, code, reason });
      },
    };
    this.#guests.set(name, guest);
    this.#post({ k: "taken", tab, line, leader });
    this.#watch(tab);
    this.#carry(guest, protocols);
  }

  /** A tab that is gone says nothing: its lock is free then. */
  #watch(tab: string): void {
    if (this.#watchedTabs.has(tab)) return;
    this.#watchedTabs.add(tab);
    const { tabs, name } = this.#parts;
    const { signal } = this.#leaving;
    tabs.locks
      .request(`${name}/${tab}`, { signal }, async () => {
        this.#watchedTabs.delete(tab);
        for (const guest of [...this.#guests.keys()]) if (guest.startsWith(`${tab}/`)) this.#forget(guest);
      })
      .catch(() => {});
  }

  #forget(guest: string): void {
    const line = this.#guests.get(guest);
    this.#guests.delete(guest);
    this.#drop(line);
  }
}

function nameOf({ tab, line }: LineName): string {
  return `${tab}/${line}`;
}
