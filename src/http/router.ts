import type { Result, Router } from "hono/router";

/** `{name}` is one segment, `{name+}` everything that follows, slashes included. */
function patternOf(path: string): RegExp {
  const source = path
    .replaceAll(".", "\\.")
    .replace(/\{[a-z]+\+\}/g, ".*")
    .replace(/\{[a-z]+\}/g, "[^/]+");
  return new RegExp(`^${source}$`, "s");
}

/**
 * Finds the route of a request: the first of its method whose pattern fits. Some dozen patterns need no tree, and the routers that Hono brings along for thousands
 * are a fiftieth of what an isolate would load.
 */
export class RouteTable<T> implements Router<T> {
  readonly name = "RouteTable";
  readonly #routes: { readonly method: string; readonly pattern: RegExp; readonly result: Result<T> }[] = [];

  add(method: string, path: string, handler: T): void {
    this.#routes.push({ method, pattern: patternOf(path), result: [[[handler, {}]]] });
  }

  match(method: string, path: string): Result<T> {
    const found = this.#routes.find((route) => route.method === method && route.pattern.test(path));
    return found?.result ?? [[]];
  }

  /** The methods that `path` takes; none: there is no such route. */
  methodsOf(path: string): string[] {
    const fitting = this.#routes.filter(({ pattern }) => pattern.test(path));
    return [...new Set(fitting.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method])))];
  }
}
