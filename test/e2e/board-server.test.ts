import { get } from "node:http";
import { expect, test } from "vitest";
import { serveBoard } from "../../examples/live-board/server.ts";

test("the board's server answers a path that is no part of an address", async () => {
  const board = await serveBoard({
    warp: () => "http://127.0.0.1:1",
    space: "board",
    prefix: "card:",
    port: 0,
  });
  try {
    const { port } = new URL(board.url);
    for (const path of ["//", "//[", "/config.json?now"]) {
      const status = await new Promise((resolve, reject) => {
        get({ host: "127.0.0.1", port, path }, (response) => {
          response.resume();
          resolve(response.statusCode);
        }).on("error", reject);
      });
      expect([path, status]).toEqual([path, path.startsWith("/config") ? 200 : 404]);
    }
  } finally {
    await board.close();
  }
}, 10_000);
