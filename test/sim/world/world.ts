import { shardAdapter } from "../../../src/adapter/shard/shard-adapter.ts";
import type { ShardConnection } from "../../../src/connection/shard-connection.ts";
import { socketConnection } from "../../../src/connection/socket/socket-connection.ts";
import { SpaceClient } from "../../../src/connection/space-client.ts";
import { resolveSettings } from "../../../src/core/policy.ts";
import type { Operation } from "../check/history.ts";
import type { Violation } from "../check/violation.ts";
import { Clients } from "./client.ts";
import { strike } from "./faults.ts";
import { Kernel } from "./kernel.ts";
import { Link } from "./links.ts";
import type { LockClients } from "./lock-client.ts";
import { lockersOf } from "./lockers.ts";
import type { Plan, PlannedCall, PlannedFault, PlannedNode } from "./plan.ts";
import { Recorder } from "./recorder.ts";
import { isStrongClass, nodeRegistrations, spaceRegistrations } from "./registrations.ts";
import { carry, rpcLike } from "./rpc.ts";
import { ShardHost, type ShardMethod } from "./shard-host.ts";
import { Host, SimNode } from "./sim-node.ts";
import { wires } from "./wire.ts";
import { WireWatch } from "./wire-watch.ts";

const space = "sim";
const perfect = { minDelayMs: 0, spreadMs: 0, breaks: 0, twice: 0 };

/** One world: hosts, network, clients, and what happens to them by its plan. */
export class World {
  readonly kernel: Kernel;
  readonly recorder: Recorder;
  readonly hosts: readonly ShardHost[];
  readonly plan: Plan;
  readonly #nodes: SimNode[] = [];
  readonly #past: SimNode[] = [];
  readonly #links = new Map<string, Link>();
  readonly #clients: Clients;
  readonly #lockers: LockClients;
  readonly #door: { readonly host: Host; readonly client: SpaceClient };
  readonly #operator: { readonly host: Host; readonly client: SpaceClient };
  readonly faults = new Map<string, number>();
  #startedMs = 0;
  /** What each storage held when the plan began. */
  #foundedAt: readonly number[] = [];
  #isHealed = false;
  readonly #seen = new Map<string, number>();

  constructor(plan: Plan) {
    this.plan = plan;
    this.kernel = new Kernel(plan.seed);
    this.recorder = new Recorder(this.kernel);
    this.hosts = Array.from({ length: plan.shards }, (_, index) => this.#host(index));
    this.#door = this.#caller("door", (shard) => this.#link("door", shard));
    const sure = new Link(this.kernel, this.kernel.chance("operator link"), perfect);
    this.#operator = this.#caller("operator", () => sure);
    this.#clients = new Clients({
      kernel: this.kernel,
      plan,
      recorder: this.recorder,
      node: (at) => this.node(at),
      door: this.#door,
      isStrong: (at, key) => this.isStrong(at, key),
      head: () => this.hosts[0]?.disk.head ?? 0,
    });
    this.#lockers = lockersOf({
      kernel: this.kernel,
      plan,
      recorder: this.recorder,
      clients: this.#clients,
      node: (at) => this.node(at),
      admin: this.#door,
    });
  }

  /** The nodes that live now. */
  get nodes(): readonly SimNode[] {
    return this.#nodes;
  }

  node(at: number): SimNode {
    const node = this.#nodes[at % this.#nodes.length];
    if (node === undefined) throw new Error("the world has no nodes yet");
    return node;
  }

  isStrong(at: number, key: string): boolean {
    const planned = this.plan.keys.find((one) => one.key === key);
    if (planned === undefined || !isStrongClass(planned.class)) return false;
    return planned.class !== "mixed" || this.plan.nodes[at % this.plan.nodes.length]?.mixedIsStrong === true;
  }

  /** Lets the plan happen, then heals everything and waits until it has calmed down. */
  async run(): Promise<void> {
    await this.#complete(this.#setUp());
    this.#startedMs = this.kernel.nowMs;
    this.#foundedAt = this.hosts.map(({ disk }) => disk.length);
    for (const [place, step] of this.plan.steps.entries()) {
      this.kernel.at(this.#startedMs + step.atMs, () => {
        // What comes later than the end would meet a world that is said to be whole.
        if ("fault" in step) {
          if (!this.#isHealed) this.#strike(step);
        } else if (step.do === "lock" || step.do === "force" || step.do === "observe")
          this.#lockers.start(step, place);
        else this.#clients.start(step as PlannedCall, place);
      });
    }
    await this.kernel.run(this.#startedMs + this.plan.untilMs);
    this.#isHealed = true;
    for (const link of this.#links.values()) link.heal();
    for (const host of this.hosts) host.failTransactions(0);
    // Longer than any pause, deadline and lease.
    await this.kernel.run(this.kernel.nowMs + 20_000);
  }

  /** Runs `work` of the kit itself, however long it takes. */
  async #complete<T>(work: Promise<T>): Promise<T> {
    let end: { readonly value: T } | { readonly error: unknown } | undefined;
    work.then(
      (value) => {
        end = { value };
      },
      (error: unknown) => {
        end = { error };
      },
    );
    for (let round = 0; end === undefined && round < 600; round++)
      await this.kernel.run(this.kernel.nowMs + 100);
    if (end === undefined) throw new Error("the world did not come to an end within a minute");
    if ("error" in end) throw end.error;
    return end.value;
  }

  /** What the storage has of a key now, in the operator's eyes. */
  async stored(key: string): Promise<{ readonly value: number | null; readonly version: number }> {
    return await this.#complete(this.#stored(key));
  }

  async #stored(key: string): Promise<{ readonly value: number | null; readonly version: number }> {
    const [found] = await this.#operator.client.read([key]);
    const entry = found?.answer;
    if (entry === undefined) return { value: null, version: 0 };
    return {
      value: JSON.parse(new TextDecoder().decode(entry.payload.bytes)) as number,
      version: entry.version,
    };
  }

  /** What the storage has of a key in the end takes part in the one order of all changes: no increment is missing (rule ME1). */
  async readFinally(key: string): Promise<void> {
    const op = this.recorder.begin({ kind: "get", node: "operator", keys: [key] });
    const { value, version } = await this.stored(key);
    const read = { do: "read", key, value } as const;
    this.recorder.end(op, { when: [], success: [read], failure: [], took: undefined }, { version });
  }

  /** Asks what became of every change whose answer was lost, and seals what was not seen (rule OU3). */
  async resolveAll(): Promise<void> {
    const open = this.recorder.history.filter((op) => op.outcome === "unknown" && op.opId !== undefined);
    for (const op of open) {
      const asked = { opId: op.opId ?? "", key: op.keys[0] ?? "" };
      // An op id that is too old to be known is refused from now on, but what became of it is not known.
      const answer = this.#operator.client.resolve([asked], { seal: true }).catch(() => []);
      const [found] = await this.#complete(answer);
      if (found !== undefined) this.recorder.resolved(op, found);
    }
  }

  /** One get of a client after everything has calmed down. */
  async get(node: number, key: string) {
    return await this.#complete(this.#clients.get(node, key, false));
  }

  /** One set of a client after everything has calmed down. */
  async set(node: number, key: string, place: number): Promise<void> {
    await this.#complete(this.#clients.run({ do: "set", by: node, key }, place));
  }

  /** Ends all that could still do something. */
  async close(): Promise<void> {
    for (const node of [...this.#nodes, ...this.#past]) node.end();
    for (const host of this.hosts) host.close();
  }

  /** What nodes counted, restarted ones included. */
  seen(): ReadonlyMap<string, number> {
    const sum = new Map(this.#seen);
    for (const node of [...this.#nodes, ...this.#past]) {
      const { catchUps, drops, refusedFills, joins, stale } = node.warp.stats();
      for (const [name, times] of Object.entries({ catchUps, drops, refusedFills, joins, stale }))
        sum.set(name, (sum.get(name) ?? 0) + times);
    }
    return sum;
  }

  /** The node of an operation as shards know it; undefined: a caller without one. */
  nodeOf({ node: name }: Operation): string | undefined {
    const planned = this.plan.nodes.find((one) => one.name === name.replace(/'.*/, ""));
    return planned?.transport === "socket" ? nodeId(planned) : undefined;
  }

  /** When a version of a key became durable, as a mark of the world. */
  committed(key: string, version: number): number | undefined {
    const { client } = this.#operator;
    const shard = client.shards > 1 ? shardAdapter(client).shardOf(key) : 0;
    return this.hosts[shard]?.disk.marks.get(version);
  }

  /** What went wrong inside nodes. */
  get troubles(): readonly Violation[] {
    return [...this.#nodes, ...this.#past]
      .flatMap((node) => [
        ...node.leaks.map((leak) =>
          trouble("CO10", `background work of ${node.name} failed: ${String(leak)}`),
        ),
        ...node.wrongs.map((what) => trouble("CO3", `${node.name}: ${what}`)),
      ])
      .concat(
        this.hosts.flatMap(({ reported, watch }) => [
          ...reported.map((error) => trouble("SE4", `a session failed: ${String(error)}`)),
          ...watch.wrongs.map(({ rule, what }) => trouble(rule, what)),
        ]),
      );
  }

  async #setUp(): Promise<void> {
    const { client } = this.#operator;
    const home = this.hosts[0];
    await new Promise<void>((resolve) =>
      home?.call("createSpace", [space, { shards: this.plan.shards }], () => resolve()),
    );
    for (const [pattern, options] of spaceRegistrations(this.plan))
      await client.register(pattern, resolveSettings(options), undefined);
    for (const at of this.plan.nodes.keys()) this.#nodes.push(this.#makeNode(at, 0));
  }

  #strike(fault: PlannedFault): void {
    const name = strike(fault, {
      kernel: this.kernel,
      hosts: this.hosts,
      node: (at) => this.node(at),
      restart: (at) => this.#restart(at % this.#nodes.length),
      restore: (host) => void this.#restore(host),
      drop: (at, shard) => {
        const node = this.node(at);
        const broken = node.wires.filter((one) => one.shard === shard);
        for (const { wire } of broken) wire.break(node.random.pick(["node", "shard", "both"]));
        node.wires.splice(0, node.wires.length, ...node.wires.filter((one) => one.shard !== shard));
        return broken.length > 0;
      },
      link: (at, shard) => this.#link(this.node(at).name, shard),
    });
    if (name !== undefined) this.faults.set(name, (this.faults.get(name) ?? 0) + 1);
  }

  /** What was written since the backup is lost. Whoever does that tells the shard, by a position from before: it begins a new epoch. */
  async #restore(host: ShardHost): Promise<void> {
    const operator = this.#operator.client;
    const keys = this.plan.keys.map(({ key }) => key);
    const { epoch, revision } = host.position();
    const begun = keys.map((key) => this.recorder.begin({ kind: "restore", node: "operator", keys: [key] }));
    // Not back to before there was a space.
    host.restore(
      Math.min(this.recorder.history.length % 40, host.disk.length - (this.#foundedAt[host.index] ?? 0)),
    );
    const shard = host.index;
    const request = { space, shard, spaceId: (await operator.space())?.id, registrations: 0 };
    const ask = { ...request, epoch, since: revision, limit: 1 };
    await new Promise<void>((resolve) => host.call("changes", [ask], () => resolve()));
    if (host.position().epoch === epoch && revision > host.position().revision)
      throw new Error("the shard did not notice that its storage was set back");
    for (const op of begun) {
      const [key = ""] = op.keys;
      if (operator.shards > 1 && shardAdapter(operator).shardOf(key) !== shard) continue;
      const { value } = await this.#stored(key);
      this.recorder.end(op, {
        when: [],
        success: [{ do: "write", key, value }],
        failure: [],
        took: undefined,
      });
    }
  }

  #restart(at: number): void {
    const before = this.node(at);
    before.end();
    // A process that is killed has its sockets closed; a machine that is gone closes nothing.
    for (const { wire } of before.wires) wire.break(before.random.below(2) === 0 ? "both" : "node");
    this.#past.push(before);
    this.#nodes[at] = this.#makeNode(at, this.#past.length);
  }

  #makeNode(at: number, life: number): SimNode {
    const planned = this.plan.nodes[at];
    if (planned === undefined) throw new Error(`node ${at} is not planned`);
    const name = life === 0 ? planned.name : `${planned.name}'${life}`;
    return new SimNode(this.kernel, name, {
      clock: planned.clock,
      connection: (node) => this.#connection(node, planned),
      registrations: nodeRegistrations(this.plan, planned),
      maxEntries: planned.maxEntries,
    });
  }

  #connection(node: SimNode, planned: PlannedNode): ShardConnection {
    const { transport, zone } = planned;
    const linkTo = (shard: number): Link => this.#link(node.name, shard);
    if (transport === "rpc")
      return rpcLike(this.kernel, space, this.hosts, linkTo, (run) => node.deliver(run));
    return socketConnection({
      url: "https://sim.example",
      space,
      node: nodeId(planned),
      zone,
      sockets: wires(
        this.kernel,
        node,
        this.hosts,
        linkTo,
        () =>
          new WireWatch(
            (what) => this.#count(what),
            (what) => node.wrongs.push(what),
          ),
        (wire, shard) => node.wires.push({ wire, shard }),
      ),
      timers: node.timers,
      clock: node.time.wall,
      elapsed: node.time.passed,
      random: node.random,
    });
  }

  #count(what: string): void {
    this.#seen.set(what, (this.#seen.get(what) ?? 0) + 1);
  }

  #caller(name: string, linkTo: (shard: number) => Link) {
    const host = new Host(this.kernel, name, { rate: 1, offsetMs: 0 });
    const connection = rpcLike(this.kernel, space, this.hosts, linkTo, (run) => host.deliver(run));
    return { host, client: new SpaceClient({ connection, timers: host.timers }) };
  }

  #host(index: number): ShardHost {
    return new ShardHost(this.kernel, index, this.plan.shard, (shard, alive) => {
      const link = this.#link(`shard ${index}`, shard);
      const other = this.hosts[shard];
      if (other === undefined) throw new Error(`there is no shard ${shard}`);
      const ask = (method: ShardMethod) =>
        ((...args: readonly unknown[]) =>
          carry(this.kernel, link, other, method, args, (run) => {
            if (alive()) run();
          })) as never;
      return {
        getSpace: ask("getSpace"),
        getRegistrations: ask("getRegistrations"),
        joinLease: ask("joinLease"),
        endLease: ask("endLease"),
      };
    });
  }

  #link(from: string, shard: number): Link {
    const name = `${from} - ${shard}`;
    let link = this.#links.get(name);
    if (link === undefined) {
      link = new Link(this.kernel, this.kernel.chance(name), {
        ...this.plan.link,
        isSilent: !from.startsWith("shard"),
      });
      if (this.#isHealed) link.heal();
      this.#links.set(name, link);
    }
    return link;
  }
}

function trouble(rule: string, what: string): Violation {
  return { rule, what, operations: [] };
}

/** As which node its sockets present themselves. */
function nodeId({ process }: PlannedNode): string {
  return `node-${process}-abcdef`;
}
