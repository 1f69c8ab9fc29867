import { basename, dirname, join } from "node:path/posix";
import type { DeploymentConfig } from "./deployment.ts";

/** What a workerd configuration is made of. Paths are relative to the folder that holds the configuration. */
export interface WorkerdConfig {
  readonly deployment: DeploymentConfig;
  /** The module that the Worker starts with. */
  readonly worker: string;
  /** Names of all its modules, which lie in the same folder. Default: it is the only one. */
  readonly modules?: readonly string[];
  /** The bundle of the KV stand-in. */
  readonly kvService: string;
  /** Front services, one socket each: `http-0`, `http-1`, … Their addresses come by `--socket-addr`. */
  readonly isolates: number;
  /** Plain variables. */
  readonly variables: Readonly<Record<string, string>>;
  /** Whether the Worker may fetch from addresses of this machine and of private networks. Default: from public ones only. */
  readonly reachesPrivate?: boolean;
  /** Variables taken from the environment of workerd: secrets never stand in a file or on a command line. */
  readonly fromEnvironment: readonly string[];
}

/** The name of the disk service; its folder comes by `--directory-path`. */
export const diskName = "data";
/** The name of the disk service of the deployment's files; its folder comes the same way. */
export const assetsName = "assets";

/** The name of the socket of isolate `index`. */
export function socketName(index: number): string {
  return `http-${index}`;
}

/**
 * The configuration of one object host, the KV stand-in and any number of front services: each service is an isolate of its own,
 * all of them share the objects.
 */
export function workerdConfig(config: WorkerdConfig): string {
  const fronts = Array.from({ length: config.isolates }, (_, index) => index);
  const services = [
    `    (name = "${diskName}", disk = (writable = true, allowDotfiles = false)),`,
    ...(config.deployment.assets === undefined
      ? []
      : [`    (name = "${assetsName}", disk = (writable = false, allowDotfiles = false)),`]),
    ...(config.reachesPrivate === true
      ? [
          '    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),',
        ]
      : []),
    '    (name = "objects", worker = .objects),',
    '    (name = "kv", worker = .kv),',
    ...fronts.map((index) => `    (name = "front-${index}", worker = .front),`),
  ];
  const sockets = fronts.map(
    (index) =>
      `    (name = "${socketName(index)}", address = "127.0.0.1:0", http = (), service = "front-${index}"),`,
  );
  const namespaces = config.deployment.objects.map(
    ({ className }) =>
      `    (className = ${quote(className)}, uniqueKey = ${quote(className)}, enableSql = true),`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
${services.join("\n")}
  ],
  sockets = [
${sockets.join("\n")}
  ],
);

const objects :Workerd.Worker = (
${worker(config, config.worker, config.modules)}
  bindings = [
${bindings(config, false)}
  ],
  durableObjectNamespaces = [
${namespaces.join("\n")}
  ],
  durableObjectStorage = (localDisk = "${diskName}"),
);

const front :Workerd.Worker = (
${worker(config, config.worker, config.modules)}
  bindings = [
${bindings(config, true)}
  ],
);

const kv :Workerd.Worker = (
${worker(config, config.kvService)}
  bindings = [(name = "STORE", durableObjectNamespace = "KvStore")],
  durableObjectNamespaces = [(className = "KvStore", uniqueKey = "KvStore", enableSql = true)],
  durableObjectStorage = (localDisk = "${diskName}"),
);
`;
}

/** The first module of the list is the one that starts. */
function worker(config: WorkerdConfig, path: string, modules: readonly string[] = []): string {
  const flags = config.deployment.compatibilityFlags.map(quote).join(", ");
  const main = basename(path);
  const list = [main, ...modules.filter((name) => name !== main)].map(
    (name) => `(name = ${quote(name)}, esModule = embed ${quote(join(dirname(path), name))})`,
  );
  return `  modules = [${list.join(", ")}],
  compatibilityDate = ${quote(config.deployment.compatibilityDate)},
  compatibilityFlags = [${flags}],`;
}

function bindings(config: WorkerdConfig, front: boolean): string {
  const { objects, kv, assets } = config.deployment;
  return [
    ...objects.map(({ binding, className }) =>
      front
        ? `    (name = ${quote(binding)}, durableObjectNamespace = (className = ${quote(className)}, serviceName = "objects")),`
        : `    (name = ${quote(binding)}, durableObjectNamespace = ${quote(className)}),`,
    ),
    ...(assets === undefined ? [] : [`    (name = ${quote(assets)}, service = "${assetsName}"),`]),
    ...kv.map((binding) => `    (name = ${quote(binding)}, kvNamespace = "kv"),`),
    ...Object.entries(config.variables).map(
      ([name, value]) => `    (name = ${quote(name)}, text = ${quote(value)}),`,
    ),
    ...config.fromEnvironment.map((name) => `    (name = ${quote(name)}, fromEnvironment = ${quote(name)}),`),
  ].join("\n");
}

/** A capnp string literal: its escapes are C's. */
function quote(text: string): string {
  let literal = "";
  for (const byte of Buffer.from(text)) {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    literal += plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return `"${literal}"`;
}
