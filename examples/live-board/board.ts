/**
 * `npm run board`: a board of cards that is live in every browser that has it open. With `--warp URL` it is about the deployment there, else it starts one of its own, which is gone at the end.
 * Flags: `--port P` (default 8790), `--space NAME` (default board). With WARP_SECRET set, the page gets narrow tokens.
 */

import { parseArgs } from "node:util";
import { startServer } from "../cities/server.ts";
import { serveBoard } from "./server.ts";

const { values: flags } = parseArgs({
  options: {
    warp: { type: "string" },
    port: { type: "string", default: "8790" },
    space: { type: "string", default: "board" },
  },
});

const own = flags.warp === undefined ? await startServer(1) : undefined;
const warp = (flags.warp ?? own?.urls[0] ?? "").replace(/\/$/, "");
const secret = own === undefined ? process.env.WARP_SECRET : undefined;
const hasSecret = secret !== undefined && secret !== "";
// A page watches before anybody has written: there is no space yet, and its watch would end with that. 409: it is there, with settings of its own.
const authorization: Record<string, string> = hasSecret ? { Authorization: `Bearer ${secret}` } : {};
const made = await fetch(`${warp}/v1/${flags.space}`, { method: "PUT", headers: authorization });
if (!made.ok && made.status !== 409) throw new Error(`${warp} makes no space: ${await made.text()}`);
const board = await serveBoard({
  warp: () => warp,
  space: flags.space,
  prefix: "card:",
  port: Number(flags.port),
  ...(hasSecret ? { secret } : {}),
});
console.log(`the board is at ${board.url}, its cards are in ${warp}/v1/${flags.space}/keys?prefix=card:`);
if (hasSecret) console.log(`the deployment must allow it: WARP_CORS_ORIGINS=${board.url}`);
console.log(`another card: curl -X PUT ${warp}/v1/${flags.space}/keys/card:hello \\
  -H 'Content-Type: application/json' -d '{"text":"from curl","column":"todo","by":"curl"}'`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void board.close().then(() => own?.stop()));
}
