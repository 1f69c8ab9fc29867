import { refuseIfClosed } from "../../auth/config.ts";
import { randomHex } from "../../runtime/ids.ts";
import type { Call } from "../call.ts";
import { filledPage, noReference, type ReferenceFile } from "../reference.ts";
import { jsonHeaders, type Route } from "../route.ts";

/** A file of the reference. Throws `unsupported` where the deployment was made without. */
async function fileOf({ deployment }: Call, file: ReferenceFile): Promise<string> {
  refuseIfClosed(deployment.config);
  if (deployment.reference === undefined) throw noReference();
  return await deployment.reference(file);
}

/** The description of all routes, for programs and for people. */
export const referenceRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/openapi.json",
    access: "public",
    run: async (call) => new Response(await fileOf(call, "openapi.json"), { headers: jsonHeaders }),
  },
  {
    method: "GET",
    path: "/docs",
    access: "public",
    run: async (call) => {
      const { config, random } = call.deployment;
      const page = await fileOf(call, config.open ? "docs-open.html" : "docs-token.html");
      const nonce = randomHex(random, 16);
      const scheme = call.request.url.startsWith("https:") ? "https" : "http";
      return new Response(filledPage(page, nonce, `${scheme}://${call.target.authority}`), {
        headers: {
          "Content-Type": "text/html; charset=utf-8",
          "Cache-Control": "no-store",
          "Content-Security-Policy": `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
          "Referrer-Policy": "no-referrer",
        },
      });
    },
  },
];
