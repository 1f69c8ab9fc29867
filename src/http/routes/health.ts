import { refuseIfClosed } from "../../auth/config.ts";
import { json, type Route } from "../route.ts";

/** Health. */
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
      refuseIfClosed(call.deployment.config);
      return json({ status: "ready", open: call.deployment.config.open });
    },
  },
];
