import { randomHex } from "../../runtime/ids.ts";
import type { Call } from "../call.ts";
import { refuseIfClosed } from "../config.ts";
import { openApiOf } from "../openapi/document.ts";
import { referencePage } from "../page/page.ts";
import { json, type Route } from "../route.ts";

/** The description of `routes` and of itself, for programs and for people. */
export function referenceRoutes(routes: readonly Route[]): readonly Route[] {
  const described = (call: Call) => {
    refuseIfClosed(call.deployment.config);
    return openApiOf([...routes, ...own], call.deployment.config.version);
  };
  const own: readonly Route[] = [
    {
      method: "GET",
      path: "/openapi.json",
      summary: "This description, as OpenAPI 3.1.",
      access: "public",
      run: (call) => json(described(call)),
    },
    {
      method: "GET",
      path: "/docs",
      summary: "This description as a page.",
      access: "public",
      run: (call) => {
        const { config, random } = call.deployment;
        const nonce = randomHex(random, 16);
        const scheme = call.request.url.startsWith("https:") ? "https" : "http";
        const target = { origin: `${scheme}://${call.target.authority}`, token: !config.open };
        return new Response(referencePage(described(call), target, nonce), {
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
  return own;
}
