/** The HTTP routes by what they take and answer. */
export interface HttpRoutes {
  "GET /healthz": { readonly answer: { readonly status: string } };
}

export type HttpRoute = keyof HttpRoutes;

export interface HttpParameters<_R extends HttpRoute> {
  readonly signal?: AbortSignal;
}

export type HttpAnswers<R extends HttpRoute> = HttpRoutes[R]["answer"];
