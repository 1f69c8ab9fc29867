import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildModule, bundle } from "../../scripts/serve/bundle.ts";
import { workerdConfig } from "../../scripts/serve/config-capnp.ts";
import { readDeployment } from "../../scripts/serve/deployment.ts";
import { startWorkerd } from "../../scripts/serve/process.ts";
import type { RegistrationOptions, WarpStats } from "../../src/core/types.ts";
import { read } from "../package/source.ts";

const root = resolve(import.meta.dirname, "../..");
const config = "test/support/user-worker/wrangler.toml";

/** What a call of the Worker answered. */
export interface UserAnswer {
  readonly value: string | null;
  readonly cache?: string;
  readonly stale?: boolean;
  readonly ageMs?: number;
  /** The code of the error that it ended with. */
  readonly error?: string;
}

/** One isolate of the Worker. */
export class UserNode {
  readonly #base: string;
  readonly #space: string;
  readonly #name: string;

  constructor(base: string, space: string, name: string) {
    this.#base = base;
    this.#space = space;
    this.#name = name;
  }

  async read(key: string): Promise<UserAnswer> {
    return (await this.#call("read", key)) as UserAnswer;
  }

  /** `getOrSet` with the origin as its source. */
  async load(key: string): Promise<UserAnswer> {
    return (await this.#call("load", key)) as UserAnswer;
  }

  async write(key: string, text: string): Promise<void> {
    const { error } = (await this.#call("write", key, text)) as UserAnswer;
    if (error !== undefined) throw new Error(`the write of ${key} ended with ${error}`);
  }

  async stats(): Promise<WarpStats> {
    return (await this.#call("stats", "")) as WarpStats;
  }

  /** Makes this isolate's way to the shards slow or broken. */
  async trouble(trouble: { readonly delayMs?: number; readonly fails?: boolean }): Promise<void> {
    await this.#call("trouble", "", JSON.stringify({ delayMs: 0, fails: false, ...trouble }));
  }

  async #call(call: string, key: string, body?: string): Promise<unknown> {
    const url = `${this.#base}/${call}/${this.#space}/${key}?node=${this.#name}`;
    const answer = await fetch(url, body === undefined ? {} : { method: "POST", body });
    return await answer.json();
  }
}

/** Runs the Worker in `folder` with static registrations, as `serve` runs ours; `origin` is a URL. */
export async function startUserWorker(options: {
  readonly folder: string;
  readonly isolates: number;
  readonly origin?: string;
  readonly policies: Readonly<Record<string, RegistrationOptions>>;
  /** Whether isolates subscribe to the shards: `WARP_SUBSCRIBE`. Default `off`, so that copies last as their policy says. */
  readonly subscribe?: "on" | "off";
}): Promise<{ readonly nodes: readonly UserNode[]; stop(): Promise<void> }> {
  const { folder, isolates, origin = "", policies, subscribe = "off" } = options;
  const { kvService } = await bundle(root);
  await buildModule(join(root, config), join(folder, "worker.js"));
  await mkdir(join(folder, "objects"));
  await writeFile(join(folder, "kv.js"), read(kvService.slice(root.length + 1)));
  const text = workerdConfig({
    deployment: readDeployment(read(config)),
    worker: "worker.js",
    kvService: "kv.js",
    isolates,
    variables: { ORIGIN: origin, WARP_REGISTRATIONS: JSON.stringify(policies), WARP_SUBSCRIBE: subscribe },
    fromEnvironment: [],
  });
  // The origin is on this machine, which workerd does not let a Worker reach unless told to.
  const local = '  services = [\n    (name = "internet", network = (allow = ["local"])),';
  await writeFile(join(folder, "config.capnp"), text.replace("  services = [", local));
  const workerd = await startWorkerd({
    config: join(folder, "config.capnp"),
    directories: { data: join(folder, "objects") },
    addresses: Array.from({ length: isolates }, () => "127.0.0.1:0"),
    env: process.env,
  });
  const nodes = workerd.ports.map((port, at) => new UserNode(`http://127.0.0.1:${port}`, "user", `${at}`));
  return { nodes, stop: () => workerd.stop() };
}

/** An origin that counts what it is asked for, by node and key. */
export async function startOrigin() {
  const asked: { readonly key: string; readonly node: string }[] = [];
  const hooks = { delayMs: 0, fails: false };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://origin");
    const key = url.pathname.slice(1);
    asked.push({ key, node: url.searchParams.get("node") ?? "" });
    const { delayMs, fails } = hooks;
    void sleep(delayMs).then(() => {
      response.writeHead(fails ? 503 : 200).end(fails ? "" : `${key} from the origin`);
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    hooks,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
