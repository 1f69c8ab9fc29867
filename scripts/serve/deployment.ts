/** What `wrangler.toml` says about the deployment: the one place where classes and bindings are named. */
export interface DeploymentConfig {
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  /** Durable Object bindings, in order. */
  readonly objects: readonly { readonly binding: string; readonly className: string }[];
  /** Bindings of KV namespaces. */
  readonly kv: readonly string[];
  /** Binding of the files beside the Worker; undefined: there are none. */
  readonly assets: string | undefined;
}

type Table = Map<string, string | readonly string[]>;

/**
 * Reads the part of TOML that our `wrangler.toml` uses: tables, arrays of tables, strings and lists of strings. What it does not
 * know it skips, except what it needs: that it demands.
 */
export function readDeployment(toml: string): DeploymentConfig {
  const top: Table = new Map();
  const objects: Table[] = [];
  const kv: Table[] = [];
  const assets: Table = new Map();
  let table = top;
  for (const raw of toml.split("\n")) {
    const line = raw.trim();
    const header = /^(\[{1,2})([^\]]+)\]{1,2}$/.exec(line);
    if (header !== null) {
      table = header[2] === "assets" ? assets : new Map();
      if (header[2] === "durable_objects.bindings") objects.push(table);
      if (header[2] === "kv_namespaces") kv.push(table);
      continue;
    }
    const pair = /^([A-Za-z_]+)\s*=\s*(?:"([^"]*)"|\[([^\]]*)\])/.exec(line);
    if (pair?.[1] === undefined) continue;
    table.set(pair[1], pair[2] ?? [...(pair[3] ?? "").matchAll(/"([^"]*)"/g)].map((match) => match[1] ?? ""));
  }
  const flags = top.get("compatibility_flags") ?? [];
  return {
    compatibilityDate: text(top, "compatibility_date"),
    compatibilityFlags: typeof flags === "string" ? [flags] : flags,
    objects: objects.map((entry) => ({
      binding: text(entry, "name"),
      className: text(entry, "class_name"),
    })),
    kv: kv.map((entry) => text(entry, "binding")),
    assets: assets.size === 0 ? undefined : text(assets, "binding"),
  };
}

function text(table: Table, name: string): string {
  const value = table.get(name);
  if (typeof value !== "string") throw new Error(`wrangler.toml lacks ${name}`);
  return value;
}
