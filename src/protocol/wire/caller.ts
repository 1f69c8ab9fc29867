import { isPlain } from "./check.ts";

/** Who opens a socket, as the edge that lets it in has found: it rides on the request to the shard's object, where nobody else can put it. */
export interface Caller {
  readonly space: string;
  readonly shard: number;
  /** Whose op ids it may send. */
  readonly subject: string;
  /** Whether it may drop other nodes' copies. */
  readonly invalidates: boolean;
  /** Whether it may acquire and release locks, and campaign in elections. */
  readonly locks: boolean;
  /** Whether it is a node, which may follow the log and hold leases; absent: it is. */
  readonly follows?: boolean;
  /** Its token is yet to come: until then it may say `auth` only. */
  readonly isPending?: true;
  /** Key prefixes that it may read, watch and change; absent: all keys. Where they are, it is no node: it may not follow the log. */
  readonly prefixes?: readonly string[];
  /** Whether it may read and watch; absent: it may. */
  readonly reads?: boolean;
  /** Whether it may change keys and publish; absent: it may. */
  readonly writes?: boolean;
  /** Whether it may delete keys; absent: it may. */
  readonly deletes?: boolean;
  /** Whether it may do everything: registrations, spaces, anybody's op ids. */
  readonly isAdmin: boolean;
  /** When its rights end, in Unix ms; absent: never. */
  readonly expiresAtMs?: number;
  /** How the frames of its socket are written; absent: as JSON. */
  readonly codec?: "msgpack";
  /** Where its request came from. */
  readonly zone?: string;
}

/** Whether it is no node: it may not follow the log, hold copies or vote. */
export function isWatcher({ follows, prefixes }: Caller): boolean {
  return follows === false || prefixes !== undefined;
}

/** The header that carries a {@link Caller} to an object. */
export const callerHeader = "Warp-Caller";

/** The header's value. */
export function formatCaller(caller: Caller): string {
  return encodeURIComponent(JSON.stringify(caller));
}

/** The caller in a header; undefined where there is none. */
export function parseCaller(text: string | null): Caller | undefined {
  try {
    const caller: unknown = text === null ? undefined : JSON.parse(decodeURIComponent(text));
    return isPlain(caller) && typeof caller.subject === "string" ? (caller as unknown as Caller) : undefined;
  } catch {
    return undefined;
  }
}
