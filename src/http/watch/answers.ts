import { WarpError } from "../../errors.ts";
import { defaultTimeoutMs } from "../../runtime/limits.ts";
import { fraction } from "../../runtime/random.ts";
import type { Call } from "../call.ts";
import { jsonText } from "../route.ts";
import { changesQuery, watchQuery } from "../schemas/watch.ts";
import { optionsOf, targetOf, watchesOf } from "./asked.ts";
import { type ChangesFound, changesSince, presentCursor } from "./changes.ts";
import { itemText } from "./item-text.ts";
import { plainProtocol, plainSocket, upgradeOf } from "./plain-socket.ts";
import { eventStream, eventStreamHeaders } from "./sse.ts";
import { tell } from "./told.ts";

/** Streams end up to this share before their time, so that those that began together don't come back together. */
const rotationJitter = 0.1;
/** Least and most wait before a client of a stream connects again, in ms. */
const retryMs = 500;

/** `GET …/watch`. */
export async function watch(call: Call): Promise<Response> {
  const { deployment, request, requestId } = call;
  const query = call.query(watchQuery);
  const target = targetOf(call, query);
  const isSocket = request.headers.get("Upgrade")?.toLowerCase() === "websocket";
  call.requireOrigin();
  const { door, watches } = watchesOf(call);
  // Nobody would read it.
  if (request.method === "HEAD") return new Response(null, { headers: eventStreamHeaders });
  const upgrade = isSocket ? upgradeOf(door) : undefined;
  const protocol = isSocket ? protocolIn(request.headers.get("Sec-WebSocket-Protocol")) : undefined;
  // What is no cursor at all is most likely one of the words, misspelled.
  if (!/^now$|^snapshot$|\./.test(query.from ?? "now")) {
    throw new WarpError("invalid_cursor", "from is now, snapshot or a cursor");
  }
  const from = request.headers.get("Last-Event-ID") || query.from;
  const report = (error: unknown): void => deployment.log.error("a watch broke off", { requestId, error });
  const { config, random } = deployment;
  const opened = await watches.watch(target, optionsOf(call, query, from));
  const rotateMs = config.rotateMs * (1 - rotationJitter * fraction(random));
  const told = tell(opened, { timers: door.timers, rotateMs, report });
  if (upgrade === undefined) {
    const wait = Math.round(retryMs * (1 + fraction(random)));
    const stream = eventStream(opened, told, { requestId, retryMs: wait });
    return new Response(stream, { headers: eventStreamHeaders });
  }
  // The headers of a socket's answer are the handshake's: nothing is added to them.
  call.stamp({});
  return plainSocket({ upgrade, protocol, watch: opened, told, timers: door.timers, requestId, report });
}

/** The subprotocol that is echoed. Throws `protocol_mismatch` where others only are offered: browsers fail such a connection, and don't say why. */
function protocolIn(offered: string | null): string | undefined {
  if (offered === null) return undefined;
  if (offered.split(",").some((item) => item.trim() === plainProtocol)) return plainProtocol;
  throw new WarpError("protocol_mismatch", `offer the subprotocol ${plainProtocol}`);
}

/** `GET …/changes`. */
export async function changes(call: Call): Promise<Response> {
  const query = call.query(changesQuery);
  const { since, waitMs, limit } = query;
  const target = targetOf(call, query);
  const { door, watches } = watchesOf(call);
  const options = optionsOf(call, query, since);
  if (since === "now" || since === "snapshot") {
    throw new WarpError("invalid_cursor", "since is a cursor, or left out", { details: { field: "since" } });
  }
  const { timeoutMs = defaultTimeoutMs } = call.callOptions;
  const found: ChangesFound =
    since === undefined
      ? { cursor: await presentCursor(watches, { target, options }), events: [] }
      : await changesSince(watches, { target, options, waitMs, limit, timeoutMs, timers: door.timers });
  const { cursor = since ?? null, events, gap } = found;
  const texts = events.map((event) => itemText(event, { cursor: event.cursor }));
  return jsonText(`${JSON.stringify({ cursor, gap }).slice(0, -1)},"events":[${texts.join(",")}]}`);
}
