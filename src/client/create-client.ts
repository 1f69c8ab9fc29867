import { browserHost } from "../platform/browser.ts";
import { LiveClient } from "./live/client.ts";
import type { ClientOptions, WarpClient } from "./live/types.ts";

/** A client of a space. It connects at once. Throws `invalid_argument`. */
export function createClient(options: ClientOptions): WarpClient {
  return new LiveClient({ ...options, host: options.host ?? browserHost() });
}
