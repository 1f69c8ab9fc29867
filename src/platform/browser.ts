/** What a page gives, or any host with the web's globals: the host side of the client. */

import type { ClientHost, Signal, Signals } from "../runtime/client-host.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { SocketFactory } from "../runtime/socket.ts";

const clock: Clock = { now: () => Date.now() };

const timers: Timers = {
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return () => clearTimeout(handle);
  },
};

const random: Random = { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };

const sockets: SocketFactory = {
  open(url, protocols, events) {
    const socket = new WebSocket(url, [...protocols]);
    socket.binaryType = "arraybuffer";
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      events.opened();
    };
    socket.onmessage = ({ data }: { readonly data: string | ArrayBuffer }) =>
      events.message(typeof data === "string" ? data : new Uint8Array(data));
    socket.onclose = ({ code, reason }) => {
      if (wasOpen) events.closed(code, reason);
      else void why(url, protocols).then(({ code: of, reason: text }) => events.closed(of, text));
    };
    return {
      send(data) {
        if (socket.readyState === 1) socket.send(data as string);
      },
      close: (code, reason) => socket.close(code, reason),
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
    };
  },
};

/** Loaded when it is needed, which is never where all goes well. */
const why = (url: string, protocols: readonly string[]) =>
  import("./why-refused.ts")
    .then(({ whyRefused }) => whyRefused(url, protocols))
    .catch(() => ({ code: 1006, reason: "" }));

const signals: Signals = {
  get isOffline() {
    return navigator.onLine === false;
  },
  listen(listener) {
    const stops: (() => void)[] = [];
    const on = (target: EventTarget, type: string, signal: (event: Event) => Signal | undefined): void => {
      const heard = (event: Event): void => {
        const found = signal(event);
        if (found !== undefined) listener(found);
      };
      target.addEventListener(type, heard);
      stops.push(() => target.removeEventListener(type, heard));
    };
    on(globalThis, "online", () => "online");
    on(globalThis, "offline", () => "offline");
    // Where the page is kept to be shown again, its sockets are not.
    on(globalThis, "pagehide", (event) => ((event as PageTransitionEvent).persisted ? "frozen" : undefined));
    on(globalThis, "pageshow", (event) => ((event as PageTransitionEvent).persisted ? "resumed" : undefined));
    on(document, "freeze", () => "frozen");
    on(document, "resume", () => "resumed");
    on(document, "visibilitychange", () => (document.hidden ? "hidden" : "visible"));
    return () => {
      for (const stop of stops) stop();
    };
  },
};

/** A host of the web's globals. Where there is no page, it has no signals. */
export function browserHost(): ClientHost {
  return {
    clock,
    elapsed: { now: () => performance.now() },
    timers,
    random,
    sockets,
    fetch: (url, request) => fetch(url, request as RequestInit) as never,
    ...(typeof document === "undefined" ? {} : { signals }),
  };
}
