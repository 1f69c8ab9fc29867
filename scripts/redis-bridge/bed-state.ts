import type { Faults } from "./faults.ts";
import type { RedisServer } from "./redis-server.ts";
import { RespConnection } from "./resp.ts";

/** How a bed is made. */
export interface BedRequest {
  /** A redis-server of its own, which may be killed and restarted and loses nothing that it acknowledged. Default: a database of the shared one. */
  readonly own?: boolean;
  /** Where that server keeps its files; they stay when the bed ends. Default: a folder that goes with the bed. */
  readonly folder?: string;
  /** Default: drawn. */
  readonly token?: string;
  /** Its place in the URLs; whoever knows it can give orders. Default: drawn. */
  readonly id?: string;
  /** Of the faults that hit a share. Default 1. */
  readonly seed?: number;
  /** Longest body, in bytes. Default 10,485,760. */
  readonly maxRequestBytes?: number;
}

/** Where a bed's REST surface is. */
export interface BedAddress {
  readonly url: string;
  readonly token: string;
  /** Takes orders: see `bed.ts`. */
  readonly control: string;
  /** Of the redis-server itself, for `redis-cli -s`. */
  readonly socket: string;
}

/** A request that reached Redis. */
export interface Recorded {
  readonly commands: readonly (readonly string[])[];
  /** `told`: its sender was sent the answer. `untold`: carried out, the answer was lost on purpose. `broken`: the server went away; nobody knows whether it was carried out. */
  readonly fate: "told" | "untold" | "broken";
  /** What Redis answered, in JSON's words. */
  readonly answer?: unknown;
}

/** One database behind a REST surface of its own. */
export interface Bed {
  readonly token: string;
  readonly faults: Faults;
  readonly server: RedisServer;
  readonly isOwn: boolean;
  readonly database: number;
  readonly maxRequestBytes: number;
  readonly streams: Set<() => void>;
  connection: RespConnection | undefined;
  /** Requests to the REST surface so far, and those whose sender left before the answer. */
  requests: number;
  left: number;
  /** What was carried out since somebody asked to keep it. */
  recorded: Recorded[] | undefined;
}

/** The bed's connection for commands; a new one where the last one broke. */
export function connectionOf(bed: Bed): RespConnection {
  if (bed.connection !== undefined) return bed.connection;
  const connection = new RespConnection(bed.server.path, () => {
    if (bed.connection === connection) bed.connection = undefined;
  });
  bed.connection = connection;
  connection.send([["SELECT", `${bed.database}`]]).catch(() => undefined);
  return connection;
}
