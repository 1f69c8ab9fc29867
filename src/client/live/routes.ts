/** The HTTP routes by what they take and answer. */
export interface HttpRoutes {
  "GET /healthz": { readonly answer: { readonly status: string } };
}

export type HttpRoute = keyof HttpRoutes;

/** What a call takes. */
export interface HttpParameters<_R extends HttpRoute> {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes go as they are, all else as JSON. */
  readonly body?: unknown;
  readonly opId?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What a call answers. */
export interface HttpAnswers<R extends HttpRoute> {
  readonly status: number;
  /** A header; null: it is not there. */
  header(name: string): string | null;
  /** JSON parsed, NDJSON as a list, other text as text, all else as bytes. */
  readonly body: HttpRoutes[R]["answer"];
}
