import { later, type Route } from "../route.ts";
import { transactionBody } from "../schemas/batch.ts";

const load = () => import("../answers/index.ts");

/** All or nothing. */
export const transactionRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/{space}/txn",
    access: "space",
    body: transactionBody,
    run: later(load, (answers) => answers.runTransaction),
  },
];
