import type { Timers } from "../../src/runtime/clock.ts";
import type { Socket, SocketEvents, SocketFactory } from "../../src/runtime/socket.ts";

/** The far end of a socket on a {@link VirtualWire}. */
export interface WireEnd {
  readonly url: string;
  readonly protocols: readonly string[];
  send(data: string | Uint8Array): void;
  /** Ends it for both; the near end learns of it after the delay. */
  close(code: number, reason: string): void;
  readonly bufferedBytes: number;
}

/** What a far end is told. */
export interface WireEndEvents {
  message(data: string | Uint8Array): void;
  closed(code: number, reason: string): void;
}

/** One socket: what travels in each direction arrives in order, after the delay of the wire. */
interface Line {
  readonly near: SocketEvents;
  far: WireEndEvents | undefined;
  isOpen: boolean;
  /** Messages of a silent line are lost, and nobody is told that it is. */
  isSilent: boolean;
  nearArrivesAt: number;
  farArrivesAt: number;
}

/** Sockets without a network: both ends in one process, each message a moment later at the other end. */
export class VirtualWire implements SocketFactory {
  readonly #timers: Timers & { now(): number };
  readonly #accept: (end: WireEnd) => WireEndEvents;
  readonly #lines = new Set<Line>();
  /** How long a message takes, in ms. */
  delayMs: number;
  /** Whether sockets can be opened at all; else they end with this code. */
  refusesWith: { readonly code: number; readonly reason: string } | undefined;
  /** Sockets that were asked for. */
  attempts = 0;
  /** Bytes that arrived at near ends; characters count one. */
  received = 0;

  constructor(timers: Timers & { now(): number }, accept: (end: WireEnd) => WireEndEvents, delayMs = 1) {
    this.#timers = timers;
    this.#accept = accept;
    this.delayMs = delayMs;
  }

  /** Sockets that neither end knows to have ended. */
  get lines(): number {
    return this.#lines.size;
  }

  open(url: string, protocols: readonly string[], near: SocketEvents): Socket {
    this.attempts++;
    const line: Line = {
      near,
      far: undefined,
      isOpen: true,
      isSilent: false,
      nearArrivesAt: 0,
      farArrivesAt: 0,
    };
    this.#lines.add(line);
    const end: WireEnd = {
      url,
      protocols,
      send: (data) =>
        this.#toNear(line, () => {
          this.received += data.length;
          near.message(data);
        }),
      close: (code, reason) => this.#close(line, "far", code, reason),
      bufferedBytes: 0,
    };
    const refused = this.refusesWith;
    this.#toFar(line, () => {
      if (refused !== undefined) {
        this.#close(line, "far", refused.code, refused.reason);
        return;
      }
      line.far = this.#accept(end);
      this.#toNear(line, () => near.opened());
    });
    return {
      send: (data) => this.#toFar(line, () => line.far?.message(data)),
      close: (code, reason) => this.#close(line, "near", code, reason),
      bufferedBytes: 0,
    };
  }

  /** Breaks every socket: both ends learn of it at once, what was on its way is lost. */
  cut(code = 1006): void {
    for (const line of [...this.#lines]) {
      this.#lines.delete(line);
      line.isOpen = false;
      line.near.closed(code, "");
      line.far?.closed(code, "");
    }
  }

  /** Sockets that are open now carry nothing any more, and neither end is told. */
  silence(): void {
    for (const line of this.#lines) line.isSilent = true;
  }

  #toNear(line: Line, arrive: () => void): void {
    line.nearArrivesAt = this.#later(line, line.nearArrivesAt, arrive);
  }

  #toFar(line: Line, arrive: () => void): void {
    line.farArrivesAt = this.#later(line, line.farArrivesAt, arrive);
  }

  /** Not before what was sent earlier, even where the wire has become faster. */
  #later(line: Line, notBeforeMs: number, arrive: () => void): number {
    const atMs = Math.max(this.#timers.now() + this.delayMs, notBeforeMs);
    this.#timers.after(atMs - this.#timers.now(), () => {
      if (line.isOpen && !line.isSilent) arrive();
    });
    return atMs;
  }

  /** The end that closes hears nothing more; the other one does when what was sent before has arrived. */
  #close(line: Line, by: "near" | "far", code: number, reason: string): void {
    if (!line.isOpen || !this.#lines.delete(line)) return;
    const told = (): void => {
      line.isOpen = false;
      if (line.isSilent) return;
      if (by === "near") line.far?.closed(code, reason);
      else line.near.closed(code, reason);
    };
    const notBeforeMs = by === "near" ? line.farArrivesAt : line.nearArrivesAt;
    this.#timers.after(Math.max(this.delayMs, notBeforeMs - this.#timers.now()), told);
  }
}
