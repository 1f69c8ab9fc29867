import { refuseIfClosed } from "../../auth/config.ts";
import { problems } from "../problem.ts";
import { json, type Route } from "../route.ts";

/** What a caller who knows nothing yet may ask: which routes there are, where they are described, and what the codes of errors mean. `all` gives every route. */
export function aboutRoutes(all: () => readonly Route[]): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/",
      access: "public",
      run: (call) => {
        const { config } = call.deployment;
        refuseIfClosed(config);
        return json({
          name: "warp",
          version: config.version,
          // What each does is in the reference, which no isolate has to carry.
          reference: "/docs",
          routes: all().map(({ method, path }) => `${method} ${path.replaceAll("+}", "}")}`),
        });
      },
    },
    {
      method: "GET",
      path: "/errors",
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
