import { describe, expect, it } from "vitest";
import { host } from "#host";
import { socketConnection } from "../../src/connection/socket/socket-connection.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import type { HubSocket } from "../../src/shard/hub/hub-socket.ts";
import { shardBus } from "../../src/syncbus/shard/shard-bus.ts";
import { type BusContract, Ear, settle, syncBusContract } from "../contract/syncbus.ts";
import { directConnection } from "../support/direct-connection.ts";
import { grantedLease } from "../support/granted-lease.ts";
import { HubBed } from "../support/hub-bed.ts";
import { seeded } from "../support/seeded.ts";
import { VirtualWire, type WireEnd, type WireEndEvents } from "../support/virtual-wire.ts";

/** A real shard with its hub, and ends over sockets to it. */
const run: BusContract["run"] = (work) =>
  host.withSql(async (sql) => {
    const bed = new HubBed(sql);
    await bed.bed.create();
    const { clock } = bed;
    let isCut = false;
    const accept = (end: WireEnd): WireEndEvents => {
      const socket: HubSocket = {
        attachment: undefined,
        send: (data) => end.send(data),
        close: (code, reason) => end.close(code, reason),
      };
      bed.hub.accept(socket, {
        space: "test",
        shard: 0,
        subject: "bus",
        invalidates: true,
        locks: true,
        isAdmin: false,
      });
      return {
        message: (data) => {
          const isMutation = String(data).includes('"mutate"');
          void bed.hub.message(socket, data);
          if (!isCut || !isMutation) return;
          // It has arrived; its answer is lost, and with it whatever was on its way to anybody.
          isCut = false;
          wire.cut();
        },
        closed: () => bed.hub.closed(socket),
      };
    };
    // Nothing takes time on this wire.
    const timers = {
      now: () => clock.now(),
      after: (ms: number, run: () => void) => {
        if (ms > 0) return clock.after(ms, run);
        let isOn = true;
        void Promise.resolve().then(() => isOn && run());
        return () => {
          isOn = false;
        };
      },
    };
    const wire = new VirtualWire(timers, accept, 0);
    const connections: { close(): Promise<void> }[] = [];
    let ends = 0;
    await work({
      clock,
      end: (node) => {
        const connection = socketConnection({
          url: "http://warp.test",
          space: "test",
          node: `node-${ends++}-of-many`,
          sockets: wire,
          timers: clock,
          clock,
          random: seeded(ends),
          backoff: { baseMs: 1, capMs: 1 },
        });
        connections.push(connection);
        const client = new SpaceClient({ connection, timers: clock });
        return shardBus({
          clock,
          timers: clock,
          random: seeded(ends),
          background: { run: (lost) => void lost.catch((error: unknown) => bed.reported.push(error)) },
          client,
          pushes: connection.pushes,
          ...(node === undefined ? {} : { node }),
        });
      },
      lease: () => {
        const connection = directConnection("test", () => bed.bed.shard);
        return grantedLease(new SpaceClient({ connection, timers: clock }), {
          clock,
          random: seeded(++ends),
        });
      },
      arrive: () => clock.settle(),
      // The hub gathers what it pushes.
      gatherMs: 16,
      cut: () => {
        isCut = true;
      },
      finish: async () => {
        for (const connection of connections) await connection.close();
        // The shard notes once more where its nodes stood: a timer of its own, not theirs.
        await clock.advance(1_000);
      },
    });
  });

// The whole way: the bus over sockets to the hub of a real shard.
syncBusContract({
  name: "shard over sockets",
  supports: {
    quorum: false,
    zones: false,
    health: true,
    peers: false,
    scope: false,
    region: false,
    resume: true,
    remote: true,
  },
  run,
});

describe("a bus over sockets", () => {
  it("that only listens hears on, though its socket is given up after a minute without use", () =>
    run(async (bed) => {
      const [one, other] = [bed.end(), bed.end()];
      const errors: unknown[] = [];
      other.onError((error) => errors.push(error));
      const ear = await Ear.on(other);
      for (let minute = 1; minute <= 5; minute++) {
        await bed.clock.advance(45_000);
        const sent = one.publish({ key: `k${minute}` });
        await settle(bed);
        await sent;
      }
      expect(ear.heard).toEqual(["k1", "k2", "k3", "k4", "k5"]);
      expect(errors).toEqual([]);
    }));
});
