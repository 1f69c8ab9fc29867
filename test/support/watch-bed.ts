import type { Payload } from "../../src/protocol/payload.ts";
import type { WatchFilter, WatchTarget } from "../../src/protocol/watch.ts";
import type { Caller } from "../../src/protocol/wire/caller.ts";
import type { ServerFrame } from "../../src/protocol/wire/frames.ts";
import type { WatchStart } from "../../src/protocol/wire/watch-frames.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { HubBed, type TestSocket } from "./hub-bed.ts";
import { ClientWatch, WatchClient } from "./watch-client.ts";

/** A hub whose sockets watch. */
export class WatchBed extends HubBed {
  /** A socket of a client that follows nothing and watches. */
  async watcher(
    caller: Partial<Caller> = {},
  ): Promise<{ readonly socket: TestSocket; readonly client: WatchClient }> {
    const client = new WatchClient();
    return { socket: await this.connect(client, caller), client };
  }

  /** The next socket of a client. */
  async connect(client: WatchClient, caller: Partial<Caller> = {}): Promise<TestSocket> {
    const socket = await this.join({ follow: false }, caller);
    socket.heard = (frame: ServerFrame) => client.take(frame);
    return socket;
  }

  /** A socket was cut. */
  closed(socket: TestSocket): void {
    this.hub.closed(socket);
  }

  /** Opens a watch; gives it. */
  async watch(
    { socket, client }: { readonly socket: TestSocket; readonly client: WatchClient },
    id: number,
    filter: Partial<WatchFilter> & { readonly target: WatchTarget },
    from: WatchStart = "now",
  ): Promise<ClientWatch> {
    const { target, mode = "all", ops } = filter;
    const watch = new ClientWatch({ target, mode, ...(ops === undefined ? {} : { ops }) });
    client.watches.set(id, watch);
    await this.say(socket, { t: "sub", id, ...target, mode, from, ...(ops === undefined ? {} : { ops }) });
    // What is to be caught up with comes a moment later.
    await this.clock.advance(1);
    return watch;
  }

  async publish(target: WatchTarget, text: string, retained: boolean): Promise<void> {
    const payload: Payload = { bytes: utf8(text), contentType: "text/plain" };
    const reply = await this.bed.shard.publish({
      ...this.bed.scope(),
      opId: this.bed.opId(),
      target,
      payload,
      retained,
    });
    if ("refused" in reply) throw new Error(reply.refused.message);
  }
}
