import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { eventually, startCommand, startServe, temporaryFolder, untilSaid } from "../support/serve.ts";

test("WA2 WA3 an EventSource that is not ours is told each write once and in order, from one stream to the next", async () => {
  await using folder = await temporaryFolder();
  const served = await startServe(folder.path, [], { WARP_SSE_ROTATE_MS: "2000" });
  const space = `${served.url}/v1/shop`;
  await fetch(space, { method: "PUT" });
  const script = join(import.meta.dirname, "event-source-page.ts");
  const page = startCommand(process.execPath, [
    "--experimental-eventsource",
    script,
    `${space}/watch?prefix=`,
  ]);
  try {
    await untilSaid(page, /^open$/m);
    const headers = { "Content-Type": "text/plain" };
    let written = 0;
    for (const untilMs = Date.now() + 7_000; Date.now() < untilMs; written++) {
      const url = `${space}/keys/k${written % 3}`;
      await fetch(url, { method: "PUT", headers, body: `${written}` });
      await sleep(20);
    }
    const told = () => [...page.output().matchAll(/^set (\d+)$/gm)].map(([, text]) => Number(text));
    await eventually(() => told().length >= written, 20_000);
    expect(told()).toEqual(Array.from({ length: written }, (_, at) => at));
    expect(page.output().match(/^rotate /gm)?.length).toBeGreaterThanOrEqual(2);
  } finally {
    page.child.kill();
    await served.stop();
  }
});
