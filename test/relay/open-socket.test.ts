import { expect, test } from "vitest";
import { openSocket, type SocketNamespace } from "../../src/connection/rpc/open-socket.ts";
import { relayHeader } from "../../src/protocol/relay.ts";
import { maxRelays } from "../../src/runtime/relay-limits.ts";
import { Placement } from "../../src/shard/relay-feed/placement.ts";

function namespace(
  fetch: (headers: Record<string, string>) => string | undefined,
): SocketNamespace<Response> {
  return {
    idFromName: (name) => name,
    get: () => ({
      fetch: async (_, { headers }) => {
        const relay = fetch(headers);
        return new Response(
          null,
          relay === undefined ? {} : { status: 409, headers: { [relayHeader]: relay } },
        );
      },
    }),
  };
}

test("where all relays are full it is the shard that says so, not a relay that sends back", async () => {
  const placement = new Placement(1_000);
  for (let relay = 0; relay < maxRelays; relay++) placement.told(relay, 1);
  const shards = namespace(({ [relayHeader]: before }) => {
    if (before !== undefined) placement.full(Number(before));
    return placement.place()?.toString();
  });
  const caller = {
    space: "test",
    shard: 0,
    subject: "test",
    invalidates: false,
    locks: false,
    isAdmin: false,
  };
  const answer = await openSocket(
    shards,
    namespace(() => "full"),
    { ...caller, follows: false },
  );
  expect(answer.status).toBe(200);
});
