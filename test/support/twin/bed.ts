import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { bundle } from "../../../scripts/serve/bundle.ts";
import { workerdConfig } from "../../../scripts/serve/config-capnp.ts";
import { readDeployment } from "../../../scripts/serve/deployment.ts";
import { buildModules, mainModule } from "../../../scripts/serve/modules.ts";
import { type RunningWorkerd, startWorkerd } from "../../../scripts/serve/process.ts";
import { read } from "../../package/source.ts";
import { SpaceHttp } from "../http-client.ts";
import type { TwinNode } from "./calls.ts";
import { IsolateNode } from "./isolate.ts";
import type { ChildOptions } from "./node-child.ts";
import { ProcessNode } from "./node-process.ts";
import { TcpProxy } from "./tcp-proxy.ts";

const root = resolve(import.meta.dirname, "../../..");
const config = "test/support/twin/worker/wrangler.toml";
const entry = "test/support/twin/worker/worker.ts";

/** What a bed is made of. */
export interface BedOptions {
  readonly space: string;
  readonly shards?: number;
  /** Further settings of the space: its storage, its fallback. */
  readonly settings?: object;
  readonly isolates?: number;
  /** By which isolate's door the first Node process comes; the others by those after it. Default 0. */
  readonly firstDoor?: number;
  /** Variables of the deployment, and of each Node process. */
  readonly variables?: Readonly<Record<string, string>>;
  /** One Node process for each, with its zone. */
  readonly nodes: Readonly<Record<string, string>>;
  /** Static registrations of the isolates. */
  readonly ofIsolates?: Readonly<Record<string, object>>;
  /** Static registrations of the Node processes. */
  readonly ofNodes?: Readonly<Record<string, object>>;
}

/** A Node process of a bed, and the network between it and the server. */
export interface RemoteNode {
  readonly node: ProcessNode;
  readonly net: TcpProxy;
  readonly zone: string;
}

/** The production bundle on workerd with its storage on disk, isolates, and Node processes each behind a network of its own. */
export class Bed {
  readonly space: string;
  readonly isolates: readonly IsolateNode[];
  readonly remotes: readonly RemoteNode[];
  readonly #folder: string;
  readonly #count: number;
  #workerd: RunningWorkerd;
  #ofNodes: Readonly<Record<string, object>> = {};
  #upstash: ChildOptions["upstash"];
  #firstDoor = 0;

  private constructor(options: BedOptions, folder: string, workerd: RunningWorkerd) {
    this.space = options.space;
    this.#folder = folder;
    this.#count = options.isolates ?? 4;
    this.#workerd = workerd;
    this.isolates = Array.from(
      { length: this.#count },
      (_, at) => new IsolateNode(`isolate-${at}`, () => this.url(at), options.space),
    );
    this.remotes = [];
  }

  static async start(options: BedOptions): Promise<Bed> {
    const folder = await mkdtemp(join(tmpdir(), "warp-twin-"));
    const count = options.isolates ?? 4;
    const [{ kvService }, modules] = await Promise.all([
      bundle(root),
      buildModules(join(root, entry), join(folder, "worker")),
    ]);
    await mkdir(join(folder, "objects"));
    await copyFile(kvService, join(folder, "kv.js"));
    const statics = options.ofIsolates;
    await writeFile(
      join(folder, "config.capnp"),
      workerdConfig({
        deployment: readDeployment(read(config)),
        worker: `worker/${mainModule}`,
        modules: Object.keys(modules),
        kvService: "kv.js",
        isolates: count,
        variables: {
          WARP_OPEN: "loopback",
          ...options.variables,
          ...(statics === undefined ? {} : { WARP_REGISTRATIONS: JSON.stringify(statics) }),
        },
        reachesPrivate: true,
        fromEnvironment: [],
      }),
    );
    const bed = new Bed(options, folder, await startOn(folder, count));
    await bed.http().create({ shards: options.shards ?? 1, ...options.settings });
    bed.#ofNodes = options.ofNodes ?? {};
    bed.#firstDoor = options.firstDoor ?? 0;
    const { UPSTASH_REDIS_REST_URL: upstash, UPSTASH_REDIS_REST_TOKEN: token } = options.variables ?? {};
    if (upstash !== undefined && token !== undefined) bed.#upstash = { url: upstash, token };
    for (const [name, zone] of Object.entries(options.nodes)) await bed.join(name, zone);
    return bed;
  }

  /** Starts one more Node process. */
  async join(name: string, zone: string): Promise<RemoteNode> {
    // Each by another isolate's door.
    const at = this.remotes.length + this.#firstDoor;
    const net = await TcpProxy.start(() => this.#workerd.ports[at % this.#count] ?? 0);
    const child: ChildOptions = {
      url: `http://127.0.0.1:${net.port}`,
      space: this.space,
      node: name,
      zone,
      registrations: Object.entries(this.#ofNodes).map(([pattern, options]) => ({ pattern, options })),
      ...(this.#upstash === undefined ? {} : { upstash: this.#upstash }),
    };
    const remote = { node: await ProcessNode.start(child), net, zone };
    (this.remotes as RemoteNode[]).push(remote);
    return remote;
  }

  /** All nodes, the isolates first. */
  get nodes(): readonly TwinNode[] {
    return [...this.isolates, ...this.remotes.map(({ node }) => node)];
  }

  url(isolate = 0): string {
    return `http://127.0.0.1:${this.#workerd.ports[isolate]}`;
  }

  /** The space over HTTP, for what the nodes' calls don't have. */
  http(isolate = 0): SpaceHttp {
    return new SpaceHttp(this.url(isolate), this.space);
  }

  remote(name: string): RemoteNode {
    const found = this.remotes.find(({ node }) => node.name === name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  }

  /** Kills the runtime with -9 and starts it again on the same folder; gives when it answers again. */
  async killAndRestart(): Promise<void> {
    await this.kill();
    await this.restart();
  }

  /** Kills the runtime with -9. */
  async kill(): Promise<void> {
    process.kill(this.#workerd.pid, "SIGKILL");
    await this.#workerd.ended;
  }

  /** Starts a killed runtime again on the same folder; gives when it answers. */
  async restart(): Promise<void> {
    this.#workerd = await startOn(this.#folder, this.#count);
  }

  /** Makes the way from an isolate to all objects `open`, or such that each call fails (`broken`) or is never answered (`silent`). */
  async way(isolate: number, state: "open" | "broken" | "silent"): Promise<void> {
    await fetch(`${this.url(isolate)}/fault/way/${state}`);
  }

  /** Aborts the object of a shard. */
  async abort(shard = 0): Promise<void> {
    await this.#fault("abort", shard);
  }

  /** The same of another space. */
  async abortIn(space: string, shard: number): Promise<void> {
    await (await fetch(`${this.url()}/fault/abort/${space}/${shard}`)).text();
  }

  /** For when the alarm of a shard's object is set, and what time it is. */
  async alarmOf(space: string, shard: number): Promise<string> {
    const told = await (await fetch(`${this.url()}/fault/alarm/${space}/${shard}`)).text();
    return `the alarm is set for ${told}, it is ${Date.now()}`;
  }

  /** The isolates as they serve another space, made with these settings. */
  async second(space: string, settings: object): Promise<readonly IsolateNode[]> {
    await new SpaceHttp(this.url(), space).create(settings);
    return this.isolates.map(({ name }, at) => new IsolateNode(name, () => this.url(at), space));
  }

  /** Which instance of a shard's object lives now. */
  async instance(shard = 0): Promise<string> {
    return await this.#fault("instance", shard);
  }

  async stop(): Promise<void> {
    await Promise.all(this.remotes.map(({ node }) => node.stop()));
    await Promise.all(this.remotes.map(({ net }) => net.stop()));
    for (const isolate of this.isolates) isolate.close();
    await this.#workerd.stop();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #fault(what: string, shard: number): Promise<string> {
    return await (await fetch(`${this.url()}/fault/${what}/${this.space}/${shard}`)).text();
  }
}

async function startOn(folder: string, isolates: number): Promise<RunningWorkerd> {
  return await startWorkerd({
    config: join(folder, "config.capnp"),
    directories: { data: join(folder, "objects") },
    addresses: Array.from({ length: isolates }, () => "127.0.0.1:0"),
    env: process.env,
  });
}
