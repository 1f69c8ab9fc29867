import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Running, startScript, untilSaid } from "../support/serve.ts";

describe("npm run board", () => {
  let board: Running;
  let url = "";
  beforeAll(async () => {
    board = startScript("examples/live-board/board.ts", ["--port", "0"]);
    url = (await untilSaid(board, /^the board is at (\S+), /m))[1] ?? "";
  });
  afterAll(() => board?.child.kill("SIGKILL"));

  test("serves the page, which is told where its deployment is and may speak to nobody else", async () => {
    const page = await fetch(url);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain("/board.js");
    const { warp, space, prefix, tokens } = (await (await fetch(`${url}/config.json`)).json()) as {
      warp: string;
      space: string;
      prefix: string;
      tokens: boolean;
    };
    expect({ space, prefix, tokens }).toEqual({ space: "board", prefix: "card:", tokens: false });
    expect((await fetch(`${warp}/healthz`)).status).toBe(200);
    // A watch of a space that is not there ends: a page that comes before the first card would show nothing, ever.
    expect((await fetch(`${warp}/v1/${space}`)).status).toBe(200);
    const policy = page.headers.get("Content-Security-Policy");
    expect(policy).toContain(`connect-src 'self' ${warp} ws:`);
    expect(policy).toContain("default-src 'none'");
    expect((await (await fetch(`${url}/board.js`)).text()).length).toBeGreaterThan(10_000);
    expect((await fetch(`${url}/token`, { method: "POST" })).status).toBe(404);
    expect((await fetch(`${url}/../package.json`)).status).toBe(404);
  });

  test("the line that it prints makes a card", async () => {
    const line = /another card: (curl[\s\S]*?'\{.*\}')/.exec(board.output())?.[1] ?? "";
    const { execFileSync } = await import("node:child_process");
    const answer = execFileSync("bash", ["-c", `${line} -sS`], { encoding: "utf8" });
    expect(JSON.parse(answer)).toMatchObject({ key: "card:hello", created: true });
  });

  test("ends with its deployment when it is told to", async () => {
    board.child.kill("SIGTERM");
    expect(await board.exit).toBe(0);
  });
});
