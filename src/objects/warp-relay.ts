import { DurableObject } from "cloudflare:workers";
import { type RelayApi, type RelayFeed, relayHeader } from "../protocol/relay.ts";
import { callerHeader, parseCaller } from "../protocol/wire/caller.ts";
import { closeCodes } from "../protocol/wire/frames.ts";
import type { OpenRelay, WarpRelayEnv } from "./open-relay.ts";

/**
 * The Durable Object of a relay, which serves watchers that its shard has no room for: hands what comes to {@link OpenRelay}, which only relays load.
 * The class name and its storage live in users' accounts for ever.
 */
export class WarpRelay extends DurableObject<WarpRelayEnv> implements RelayApi {
  #opened: OpenRelay | undefined;

  constructor(ctx: DurableObjectState, env: WarpRelayEnv) {
    super(ctx, env);
    // Nothing comes in before it is there.
    void ctx.blockConcurrencyWhile(async () => {
      const { openRelay } = await import("./open-relay.ts");
      this.#opened = openRelay(ctx, env);
    });
  }

  async feed(feed: RelayFeed) {
    return this.#open.relay.feed(feed);
  }

  override async fetch(request: Request): Promise<Response> {
    const { relay, door } = this.#open;
    const caller = parseCaller(request.headers.get(callerHeader));
    // Who comes in another way is refused at the door.
    if (caller !== undefined) {
      const { space, shard } = caller;
      relay.begin({ space, shard, relay: Number(request.headers.get(relayHeader)) });
      await relay.ready();
    }
    return door.open(request);
  }

  override async webSocketMessage(ws: WebSocket, data: string | ArrayBuffer): Promise<void> {
    const { relay, door } = this.#open;
    try {
      const ready = relay.ready();
      if (ready !== undefined) await ready;
    } catch {
      ws.close(closeCodes.overloaded, "overloaded: the shard can't be reached");
      return;
    }
    await door.message(ws, data);
  }

  override webSocketClose(ws: WebSocket): void {
    this.#open.door.closed(ws);
  }

  override webSocketError(ws: WebSocket): void {
    this.#open.door.closed(ws);
  }

  override alarm(): void {
    this.#open.relay.onAlarm();
  }

  get #open(): OpenRelay {
    if (this.#opened === undefined) throw new Error("the relay is not open yet");
    return this.#opened;
  }
}

export type { WarpRelayEnv } from "./open-relay.ts";
