/**
 * A message socket, as Warp asks a host for it: a WebSocket of the platform, of Node or of a browser, or one end of a virtual wire.
 */
export interface Socket {
  /** Queues a message. Never throws: what can't be sent is lost, and `closed` tells. */
  send(data: string | Uint8Array): void;
  /** Ends it; `code` 1000 or 4000 to 4999, `reason` at most 123 bytes. Idempotent. */
  close(code: number, reason: string): void;
  /** Bytes that are queued and not yet on the wire; 0 where the host can't tell. */
  readonly bufferedBytes: number;
}

/** What a host tells about a socket that it opened. Nothing is told after `closed`. */
export interface SocketEvents {
  opened(): void;
  message(data: string | Uint8Array): void;
  /** It ended, or could not be opened; `code` 1006: without a word. Told once. */
  closed(code: number, reason: string): void;
}

/** Opens sockets. */
export interface SocketFactory {
  /** Throws nothing: a failure is `closed`. */
  open(url: string, protocols: readonly string[], events: SocketEvents): Socket;
}
