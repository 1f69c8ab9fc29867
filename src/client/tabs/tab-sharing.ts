import { wireProtocols } from "../../protocol/wire/frames.ts";
import type { ClientHost, Sharing } from "../../runtime/client-host.ts";
import { randomHex } from "../../runtime/ids.ts";
import type { SocketFactory } from "../../runtime/socket.ts";
import type { TabHost } from "../../runtime/tab-host.ts";
import { groupName } from "./scope.ts";
import { TabGroup } from "./tab-group.ts";

/** {@link Sharing} by what tabs have in common. Where that is nothing, each has sockets of its own. */
export function sharingOver(tabs: TabHost | undefined): Sharing {
  return { sockets: (host) => (tabs === undefined ? alone(host) : new TabSockets(host, tabs)) };
}

function alone({ sockets }: ClientHost): ReturnType<Sharing["sockets"]> {
  return { open: (url, protocols, events) => sockets.open(url, protocols, events), close() {} };
}

class TabSockets implements SocketFactory {
  readonly #host: ClientHost;
  readonly #tabs: TabHost;
  /** Another one for each client: those of one tab share like those of several. */
  readonly #tab: string;
  readonly #groups = new Map<string, TabGroup>();
  readonly #unlisten: (() => void) | undefined;

  constructor(host: ClientHost, tabs: TabHost) {
    this.#host = host;
    this.#tabs = tabs;
    this.#tab = randomHex(host.random, 8);
    // A page that is put aside can't carry the others.
    this.#unlisten = host.signals?.listen((signal) => {
      if (signal === "frozen") this.#leave();
    });
  }

  open(...[url, protocols, events]: Parameters<SocketFactory["open"]>): ReturnType<SocketFactory["open"]> {
    // What stands between the tabs reads frames as JSON.
    if (protocols[0] !== wireProtocols.json) return this.#host.sockets.open(url, protocols, events);
    const name = groupName(url, protocols);
    let group = this.#groups.get(name);
    if (group === undefined) {
      const ended = (): void => void this.#groups.delete(name);
      group = new TabGroup({ name, tab: this.#tab, url, tabs: this.#tabs, host: this.#host, ended });
      this.#groups.set(name, group);
    }
    return group.open(protocols, events);
  }

  close(): void {
    this.#unlisten?.();
    this.#leave();
  }

  #leave(): void {
    for (const group of [...this.#groups.values()]) group.leave();
  }
}
