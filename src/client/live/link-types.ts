import type { WarpError } from "../../errors.ts";
import type { FrameCodec } from "../../protocol/wire/frame-codec.ts";
import type { ClientFrame, ServerFrame } from "../../protocol/wire/frames.ts";
import type { WatchServerFrame } from "../../protocol/wire/watch-frames.ts";
import type { ClientHost } from "../../runtime/client-host.ts";
import type { Socket, SocketFactory } from "../../runtime/socket.ts";
import type { TokenSource } from "./token-source.ts";

export type Welcome = Extract<ServerFrame, { readonly t: "welcome" }>;
/** Frames about watches. */
export type WatchFrame = WatchServerFrame | Extract<ServerFrame, { readonly t: "gap" }>;

/** What the links of a client share. */
export interface LinkParts {
  readonly host: ClientHost;
  readonly sockets: SocketFactory;
  readonly frames: FrameCodec;
  readonly token: TokenSource;
  /** The name of this client for its life. */
  readonly node: string;
  readonly url: (shard: number) => string;
  /** Whether there is no network, or nothing will run. */
  readonly isResting: () => boolean;
  /** Whether nobody looks. */
  readonly isHidden: () => boolean;
  readonly welcomed: (frame: Welcome) => void;
  /** How it stands may have changed. */
  readonly changed: () => void;
}

/** One subscription, over however many sessions. */
export interface Subscriber {
  /** Its number, another one each time it is taken up. */
  id: number;
  /** What opens it at a session. */
  readonly frame: ClientFrame;
  opened(): void;
  /** A frame with its number, or one that is for all that are live. */
  take(frame: WatchFrame): void;
  /** Its session has ended. */
  cut(): void;
  failed(error: WarpError): void;
}

/** One socket, from its opening to its end. */
export interface Session {
  readonly calls: Map<
    number,
    { readonly resolve: (reply: object) => void; readonly reject: (error: WarpError) => void }
  >;
  socket?: Socket;
  welcome?: Welcome;
  isOver?: true;
  /** Beats without any sign of life since: after the second the socket is given up. */
  unanswered: number;
  cancelTimer: () => void;
  cancelRenewal?: () => void;
}
