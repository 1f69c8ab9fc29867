import { refuseIfClosed } from "../../auth/config.ts";
import { problems } from "../problem.ts";
import { json, type Route } from "../route.ts";

/** What a caller who knows nothing yet may ask: which routes there are, and what the codes of errors mean. `all` gives every route. */
export function aboutRoutes(all: () => readonly Route[]): readonly Route[] {
  return [
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
          routes: all().map(({ method, path, summary }) => ({
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
        // A person who follows the link of a problem gets the page; its fragment goes along.
        if (call.request.headers.get("Accept")?.includes("text/html") === true) {
          return new Response(null, { status: 302, headers: { Location: "/docs", Vary: "Accept" } });
        }
        return json({
          errors: Object.entries(problems).map(([code, { status, title }]) => ({ code, status, title })),
        });
      },
    },
  ];
}
