import { refuseIfClosed } from "../config.ts";
import { problems } from "../problem.ts";
import { json, type Route } from "../route.ts";

/** What a caller who knows nothing yet may ask: which routes there are, and what the codes of errors mean. `others` are all other routes. */
export function aboutRoutes(others: readonly Route[]): readonly Route[] {
  const routes: readonly Route[] = [
    {
      method: "GET",
      path: "/",
      summary: "What this is, and its routes.",
      access: "public",
      run: (call) => {
        const { config } = call.deployment;
        refuseIfClosed(config);
        return json({
          name: "warp",
          version: config.version,
          routes: [...routes, ...others].map(({ method, path, summary }) => ({
            route: `${method} ${path.replaceAll("+}", "}")}`,
            summary,
          })),
        });
      },
    },
    {
      method: "GET",
      path: "/errors",
      summary: "The codes of errors: where the `type` of a problem leads.",
      access: "public",
      run: (call) => {
        refuseIfClosed(call.deployment.config);
        return json({
          errors: Object.entries(problems).map(([code, { status, title }]) => ({ code, status, title })),
        });
      },
    },
  ];
  return routes;
}
