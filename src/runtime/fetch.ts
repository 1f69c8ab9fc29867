/** The part of the web's `fetch` that the client needs. Every host's own fits; tests pass an app's. */

/** One request. */
export interface WebRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array<ArrayBuffer> | AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
  /** A redirect is an answer like any other: it must not carry a token to another host. */
  readonly redirect: "manual";
  /** Needed where the body is a stream. */
  readonly duplex?: "half";
}

/** One answer. */
export interface WebResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** Sends a request. Rejects where no answer came; aborted by the request's signal. */
export type Fetch = (url: string, request: WebRequest) => Promise<WebResponse>;
