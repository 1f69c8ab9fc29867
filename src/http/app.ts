import type { Context } from "hono";
import { HonoBase } from "hono/hono-base";
import type { H, RouterRoute } from "hono/types";
import { Authenticator } from "../auth/authenticator.ts";
import { refuseIfClosed } from "../auth/config.ts";
import { WarpError } from "../errors.ts";
import { randomHex } from "../runtime/ids.ts";
import { authorize } from "./authorize.ts";
import { Call } from "./call.ts";
import type { Deployment } from "./deployment.ts";
import { Guard } from "./guard.ts";
import { errorData, problemResponse } from "./problem.ts";
import { type Guarded, type Route, refuseQuery } from "./route.ts";
import { RouteTable } from "./router.ts";
import { routes } from "./routes/index.ts";
import { parseTarget, rawPath } from "./target.ts";

const requestIdForm = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * The HTTP edge of a deployment. Every answer that is not a success is `application/problem+json` with a code of the closed union; what a
 * route throws unexpectedly is logged and answered as `internal`.
 */
export function createApp(deployment: Deployment): HonoBase {
  const router = new RouteTable<[H, RouterRoute]>();
  const app = new HonoBase({ router, getPath: (request) => rawPath(request.url) });
  const authenticator = new Authenticator(deployment.config, deployment.clock);
  const guard = new Guard(deployment.config);
  let run = "";
  let count = 0;

  // Made at the first request: a Worker gives no randomness while it loads.
  const nextRequestId = (): string => {
    if (run === "") run = randomHex(deployment.random, 6);
    return `${run}-${(count++).toString(36)}`;
  };

  const answer = async (
    request: Request,
    path: string,
    route: Guarded,
    work: (call: Call) => Response | Promise<Response>,
  ): Promise<Response> => {
    const { metrics, clock } = deployment;
    if (metrics === undefined) return await reply(request, path, route, work);
    const begunAtMs = clock.now();
    const response = await reply(request, path, route, work);
    const { method } = request;
    metrics.observe({ route: path, method, status: response.status, durationMs: clock.now() - begunAtMs });
    return response;
  };

  const reply = async (
    request: Request,
    path: string,
    route: Guarded,
    work: (call: Call) => Response | Promise<Response>,
  ): Promise<Response> => {
    const guarded = path !== "/healthz" && path !== "/readyz";
    const target = parseTarget(request.url);
    const call = new Call(deployment, request, target, authenticator, nextRequestId(), guard);
    const origin = request.headers.get("Origin");
    let response: Response;
    try {
      const given = request.headers.get("Warp-Request-Id");
      if (given !== null) {
        if (!requestIdForm.test(given)) {
          throw new WarpError("invalid_argument", "Warp-Request-Id takes 1 to 64 of A-Z a-z 0-9 . _ -");
        }
        call.requestId = given;
      }
      if (guarded) guard.check(target.authority, request.headers.get("Host"), origin);
      await authorize(call, route);
      response = await work(call);
      if (call.stamped) return response;
    } catch (error) {
      const data = errorData(error, request.method);
      if (data.code === "internal") {
        deployment.log.error("a request failed unexpectedly", {
          requestId: call.requestId,
          method: request.method,
          error,
        });
      }
      response = problemResponse(data, call.requestId);
    }
    const headers = call.stamp({});
    for (const name in headers) response.headers.set(name, headers[name] ?? "");
    return response;
  };

  const add = (route: Route): void => {
    const work = (call: Call): Response | Promise<Response> => {
      if (route.query === undefined) refuseQuery(call);
      return route.run(call);
    };
    app.on(route.method, route.path, (c: Context) => answer(c.req.raw, route.path, route, work));
  };
  for (const route of routes) add(route);

  app.notFound((c) => {
    const { raw } = c.req;
    return answer(raw, "", { access: "public" }, (call) => {
      const methods = router.methodsOf(call.target.path);
      const origin = raw.headers.get("Origin");
      if (raw.method === "OPTIONS" && methods.length > 0) {
        if (origin !== null && raw.headers.has("Access-Control-Request-Method"))
          return guard.preflight(origin);
        return new Response(null, { status: 204, headers: { Allow: [...methods, "OPTIONS"].join(", ") } });
      }
      refuseIfClosed(deployment.config);
      if (methods.length === 0)
        throw new WarpError("route_not_found", "there is no such route; GET / lists them");
      const allow = [...methods, "OPTIONS"].join(", ");
      const response = problemResponse(
        new WarpError("method_not_allowed", `this route takes ${allow}`, {
          details: { allow: [...methods, "OPTIONS"] },
        }).toData(),
        call.requestId,
      );
      response.headers.set("Allow", allow);
      return response;
    });
  });
  app.onError((error) => {
    const requestId = nextRequestId();
    deployment.log.error("a request failed outside its route", { requestId, error });
    return problemResponse(errorData(error), requestId);
  });
  return app;
}
