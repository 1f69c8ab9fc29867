import { refuseIfClosed } from "../../auth/config.ts";
import { json, type Route } from "../route.ts";

/** Health. */
export const healthRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/healthz",
    access: "public",
    run: (call) => json({ status: "ok", version: call.deployment.config.version }),
  },
  {
    method: "GET",
    path: "/readyz",
    access: "public",
    run: (call) => {
      refuseIfClosed(call.deployment.config);
      return json({ status: "ready", open: call.deployment.config.open });
    },
  },
];
