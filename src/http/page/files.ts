import { helps } from "../../metrics/helps.ts";
import { openApiOf } from "../openapi/document.ts";
import { nonceMark, originMark, type ReferenceFile } from "../reference.ts";
import type { Route } from "../route.ts";
import { referencePage } from "./page.ts";

/** The text of each file of the reference to `routes`. */
export function renderReference(
  routes: readonly Route[],
  version: string,
): Readonly<Record<ReferenceFile, string>> {
  const api = openApiOf(routes, version);
  const page = (token: boolean): string => referencePage(api, { origin: originMark, token }, nonceMark);
  return {
    "openapi.json": `${JSON.stringify(api)}\n`,
    "docs-open.html": page(false),
    "docs-token.html": page(true),
    "metrics.json": `${JSON.stringify(helps)}\n`,
  };
}
