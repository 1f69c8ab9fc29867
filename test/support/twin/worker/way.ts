/** How an isolate reaches objects: as ever, not at all and it learns so at once, or without ever hearing anything. */
export interface Way {
  state: "open" | "broken" | "silent";
}

interface Objects {
  idFromName(name: string): unknown;
  get(id: never): unknown;
}

/** The same namespace, but its stubs' calls and sockets go as `way` says. */
export function cuttable<N extends Objects>(namespace: N, way: Way): N {
  return {
    idFromName: (name: string) => namespace.idFromName(name),
    get: (id: never) => {
      const stub = namespace.get(id) as Record<string, (...given: unknown[]) => Promise<unknown>>;
      return new Proxy(stub, {
        get: (_, name: string) =>
          name === "then"
            ? undefined
            : async (...given: unknown[]) => {
                await pass(way);
                const answer = await stub[name]?.(...given);
                await pass(way);
                return answer instanceof Response && answer.webSocket !== null
                  ? behind(way, answer, answer.webSocket)
                  : answer;
              },
      });
    },
  } as unknown as N;
}

async function pass(way: Way): Promise<void> {
  if (way.state === "broken") throw new Error("Network connection lost.");
  // Nobody is told when it is open again: what was sent is lost.
  if (way.state === "silent") await new Promise((done) => setTimeout(done, 600_000));
}

/** The same answer with a socket that hears and says nothing more as soon as the way is not open, and ends when it is again. */
function behind(way: Way, answer: Response, far: WebSocket): Response {
  const [near, own] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket];
  let isLost = false;
  let isOver = false;
  const end = (code: number, reason: string): void => {
    if (isOver) return;
    isOver = true;
    clearInterval(watch);
    for (const socket of [own, far]) {
      try {
        socket.close(code === 1005 || code === 1006 ? 1001 : code, reason);
      } catch {
        // It has ended already.
      }
    }
  };
  const watch = setInterval(() => {
    if (way.state !== "open") isLost = true;
    if (way.state === "broken" || (isLost && way.state === "open")) end(1001, "the way broke");
  }, 20);
  for (const [from, to] of [
    [own, far],
    [far, own],
  ] as const) {
    from.addEventListener("message", ({ data }) => {
      if (way.state !== "open") isLost = true;
      if (!isLost && !isOver) to.send(data);
    });
    from.addEventListener("close", ({ code, reason }) => end(code, reason));
    from.addEventListener("error", () => end(1001, ""));
    from.accept();
  }
  return new Response(null, { status: 101, webSocket: near, headers: answer.headers });
}
