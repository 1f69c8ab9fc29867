import { host } from "#host";
import type { ClientOptions } from "../../src/client/live/types.ts";
import { WarpError } from "../../src/errors.ts";
import { shardOf } from "../../src/protocol/key.ts";
import { isRefusal } from "../../src/protocol/shard-api.ts";
import type { Caller } from "../../src/protocol/wire/caller.ts";
import { encodeFrame } from "../../src/protocol/wire/codec.ts";
import { closeCodes, type ServerFrame } from "../../src/protocol/wire/frames.ts";
import { readOffer } from "../../src/protocol/wire/subprotocols.ts";
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from "../../src/runtime/bytes.ts";
import type { ClientHost, Signal, Signals } from "../../src/runtime/client-host.ts";
import type { ShardOptions } from "../../src/shard/shard.ts";
import { loadedClient } from "./loaded-client.ts";
import { NodeBed } from "./node-bed.ts";
import { seeded } from "./seeded.ts";
import { expectReply } from "./shard-bed.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";
import { VirtualWire, type WireEnd } from "./virtual-wire.ts";

/** A page's signals, given by a test. */
export class TestSignals implements Signals {
  isOffline = false;
  readonly #listeners = new Set<(signal: Signal) => void>();

  listen(listener: (signal: Signal) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  give(signal: Signal): void {
    if (signal === "online" || signal === "offline") this.isOffline = signal === "offline";
    for (const listener of [...this.#listeners]) listener(signal);
  }
}

/** What a token of the bed stands for: `subject;prefix,prefix;endsAtMs`, the latter two optional; or claims, see {@link tokenOf}. */
export function tokenCaller(token: string | undefined): Partial<Caller> {
  if (token?.startsWith("e30.")) {
    const claims = token.split(".")[1] ?? "";
    const { sub, prefixes, exp } = JSON.parse(fromUtf8(fromBase64Url(claims) ?? new Uint8Array())) as Claims;
    return { subject: sub, follows: false, prefixes, expiresAtMs: exp * 1_000 };
  }
  const [subject = "client", prefixes = "", ends = ""] = (token ?? "").split(";");
  return {
    subject: subject === "" ? "client" : subject,
    follows: false,
    ...(prefixes === "" ? {} : { prefixes: prefixes.split(",") }),
    ...(ends === "" ? {} : { expiresAtMs: Number(ends) }),
  };
}

interface Claims {
  readonly sub: string;
  readonly prefixes: readonly string[];
  readonly exp: number;
}

/** A token in the form of real ones. */
export function tokenOf(claims: Claims): string {
  return `e30.${toBase64Url(utf8(JSON.stringify(claims)))}.signed`;
}

export interface ClientBedOptions {
  readonly shards?: number;
  /** False: the space is not made. */
  readonly create?: boolean;
  readonly shard?: Partial<ShardOptions>;
}

/** Real shards with their hubs, and clients over virtual sockets to them, in virtual time. */
export class ClientBed {
  readonly clock: VirtualClock = virtualClock();
  readonly shards: NodeBed[] = [];
  /** Sockets that were opened, by their tokens. */
  readonly opened: (string | undefined)[] = [];
  readonly #ends = new Set<WireEnd>();
  #clients = 0;

  /** Another client, with a network of its own. */
  client(options: Partial<ClientOptions> = {}, hostOptions: Partial<ClientHost> = {}) {
    const { clock } = this;
    const wire = this.wire();
    const signals = new TestSignals();
    const clientHost: ClientHost = {
      clock,
      elapsed: clock,
      timers: clock,
      random: seeded(++this.#clients),
      sockets: wire,
      fetch: async () => {
        throw new Error("no HTTP here");
      },
      signals,
      ...hostOptions,
    };
    const client = loadedClient({
      url: "http://warp.test",
      space: "test",
      ...options,
      host: clientHost,
    });
    return { client, wire, signals, host: clientHost };
  }

  /** A network with its sockets. */
  wire(delayMs = 1): VirtualWire {
    const { clock } = this;
    return new VirtualWire(
      clock,
      (end) => {
        const shard = Number(/shard=(\d+)/.exec(end.url)?.[1]);
        const { token } = readOffer(end.protocols.join());
        this.opened.push(token);
        const caller = tokenCaller(token);
        const bed = this.shards[shard];
        if (bed === undefined || (caller.expiresAtMs ?? Number.POSITIVE_INFINITY) <= clock.now()) {
          const why = bed === undefined ? "space_not_found" : "token_expired";
          end.close(bed === undefined ? closeCodes.spaceGone : closeCodes.unauthorized, why);
          return { message() {}, closed() {} };
        }
        this.#ends.add(end);
        const accepted = bed.accept(end, { ...caller, shard });
        return {
          ...accepted,
          closed: (code, reason) => {
            this.#ends.delete(end);
            accepted.closed(code, reason);
          },
        };
      },
      delayMs,
    );
  }

  get first(): NodeBed {
    const [bed] = this.shards;
    if (bed === undefined) throw new Error("there is no shard");
    return bed;
  }

  /** A frame that no test can make a shard send, to every socket that is open: each when it is called. */
  sayAll(frame: ServerFrame): readonly (() => void)[] {
    return [...this.#ends].map((end) => () => end.send(encodeFrame(frame)));
  }

  /** Writes a key at its shard, by no client; undefined deletes it. Gives the revision of the change, 0: there was none. */
  async write(key: string, value: string | undefined): Promise<number> {
    const at = shardOf(key, this.shards.length);
    const { bed } = this.shards[at] ?? this.first;
    const payload = { bytes: utf8(value ?? ""), contentType: "text/plain" };
    const opId = bed.opId();
    const mutation =
      value === undefined
        ? ({ kind: "delete", opId, key } as const)
        : ({ kind: "set", opId, key, payload } as const);
    const reply = expectReply(await bed.shard.mutate({ ...bed.scope(at), mutations: [mutation] }));
    const [verdict] = reply.verdicts;
    if (verdict?.outcome !== "ok") throw new Error("the write failed");
    return verdict.revision;
  }

  /** Lets time pass until `promise` settles. */
  async until<T>(promise: Promise<T>, mostMs = 120_000): Promise<T> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    promise.then(over, over);
    await this.clock.settle();
    for (let ms = 0; !isOver && ms < mostMs; ms += 10) await this.clock.advance(10);
    if (!isOver) throw new Error(`not settled within ${mostMs} ms`);
    return await promise;
  }
}

/** Runs `work` on a space "test" of real shards. */
export async function withClients(
  work: (bed: ClientBed) => Promise<void>,
  { shards = 1, create = true, shard = {} }: ClientBedOptions = {},
): Promise<void> {
  const bed = new ClientBed();
  const { clock } = bed;
  const home = () => bed.first.bed.shard;
  const open = async (): Promise<void> => {
    if (bed.shards.length < shards) {
      await host.withSql(async (sql) => {
        const authenticate = async (token: string, caller: Caller): Promise<Caller> => {
          const found = tokenCaller(token);
          if (found.subject === "nobody") throw new WarpError("token_invalid", "nobody");
          const { expiresAtMs: _, prefixes: __, ...rest } = caller;
          return { ...rest, ...found };
        };
        bed.shards.push(
          new NodeBed(
            sql,
            {},
            {},
            {
              home,
              peer: (_: string, at: number) => (bed.shards[at] ?? bed.first).bed.shard.leases,
              ...shard,
            },
            { clock, authenticate },
          ),
        );
        await open();
      });
      return;
    }
    if (create) {
      const reply = await home().createSpace("test", { shards });
      if (isRefusal(reply)) throw new Error(reply.refused.message);
      for (const one of bed.shards) one.bed.spaceId = reply.space.id;
    }
    await work(bed);
    for (const one of bed.shards)
      if (one.reported.length > 0) throw new Error("reported", { cause: one.reported });
  };
  await open();
}
