import { LiveClient } from "../../src/client/live/client.ts";
import * as http from "../../src/client/live/http.ts";
import type { ClientOptions } from "../../src/client/live/types.ts";
import * as watch from "../../src/client/live/watch.ts";
import type { ClientHost } from "../../src/runtime/client-host.ts";

/** A client with all its parts: loading one takes time that is no test's to move. */
export function loadedClient(options: ClientOptions & { readonly host: ClientHost }): LiveClient {
  return new LiveClient(options, { watch: async () => watch, http: async () => http });
}
