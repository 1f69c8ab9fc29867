import { WarpError } from "../../errors.ts";
import { json, type Route } from "../route.ts";

/** Health, and what stands at the root. */
export const healthRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/healthz",
    summary: "Whether the process answers.",
    access: "public",
    run: (call) => json({ status: "ok", version: call.deployment.config.version }),
  },
  {
    method: "GET",
    path: "/readyz",
    summary: "Whether it would serve: a deployment without a secret is not ready unless it is open.",
    access: "public",
    run: (call) => {
      const { secrets, open } = call.deployment.config;
      if (secrets.length === 0 && !open) throw closed();
      return json({ status: "ready", open });
    },
  },
  {
    method: "GET",
    path: "/",
    summary: "What this is.",
    access: "public",
    run: (call) => {
      const { secrets, open } = call.deployment.config;
      if (secrets.length === 0 && !open) throw closed();
      return json({ name: "warp", api: "/v1", health: "/healthz" });
    },
  },
];

function closed(): WarpError {
  return new WarpError("deployment_closed", "this deployment has no WARP_SECRET and answers health only");
}
