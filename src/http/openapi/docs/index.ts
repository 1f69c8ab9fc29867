import type { Route } from "../../route.ts";
import type { RouteDoc } from "../route-doc.ts";
import { adminDocs } from "./admin.ts";
import { connectDocs } from "./connect.ts";
import { keyDocs } from "./keys.ts";
import { leaseDocs } from "./leases.ts";
import { lockDocs } from "./locks.ts";
import { manyDocs } from "./many.ts";
import { summaries } from "./summaries.ts";
import { transactionDocs } from "./transactions.ts";
import { versionDocs } from "./versions.ts";
import { watchDocs } from "./watch.ts";

/** What the reference says of each route, by method and path. */
export const routeDocs: Readonly<Record<string, RouteDoc>> = {
  ...keyDocs,
  ...versionDocs,
  ...manyDocs,
  ...transactionDocs,
  ...lockDocs,
  ...leaseDocs,
  ...adminDocs,
  ...watchDocs,
  ...connectDocs,
};

/** What a route does in one sentence. */
export function summaryOf({ method, path }: Route): string {
  return summaries[`${method} ${path}`] ?? "";
}

/** The words about a route; one without any is told by its summary. */
export function docOf(route: Route): RouteDoc {
  return (
    routeDocs[`${route.method} ${route.path}`] ?? {
      group: "Operations",
      text: summaryOf(route),
      gives: "bytes",
      statuses: { 200: "The answer." },
      problems: [],
      example: { path: route.path },
    }
  );
}
