import type { RelayApi } from "../protocol/relay.ts";

/** The relays' namespace, as shards and the Worker need it. */
export interface RelayNamespace<Id = DurableObjectId> {
  idFromName(name: string): Id;
  get(id: Id): RelayApi & { fetch(url: string, init: RequestInit): Promise<Response> };
}
