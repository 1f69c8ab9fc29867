/**
 * The reference as files that are made when the Worker is built: what describes the routes is words, and the Worker need not carry them. What only a request knows stands in
 * the page as a mark.
 */

import { WarpError } from "../errors.ts";

/** The files. */
export const referenceFiles = ["openapi.json", "docs-open.html", "docs-token.html", "metrics.json"] as const;
export type ReferenceFile = (typeof referenceFiles)[number];

/** Where the files come from. Rejects where one is not there. */
export type ReferenceSource = (file: ReferenceFile) => Promise<string>;

/** The refusal of a deployment that has none. */
export function noReference(): WarpError {
  return new WarpError("unsupported", "this deployment was made without its reference");
}

/** The marks in the pages: a nonce for their own style and script, and where the deployment is called. */
export const nonceMark = "__WARP_NONCE__";
export const originMark = "__WARP_ORIGIN__";

const originForm = /^https?:\/\/[A-Za-z0-9.:[\]-]+$/;

/** A page for one request. An origin that could be more than an address is left out. */
export function filledPage(page: string, nonce: string, origin: string): string {
  const shown = originForm.test(origin) ? origin : "https://warp.example";
  return page.replaceAll(nonceMark, nonce).replaceAll(originMark, shown);
}
