import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { workersSql } from "../../../src/platform/workers.ts";
import type { Host } from "./host.ts";

let beds = 0;

export const host: Host = {
  name: "workerd",
  async withSql(work) {
    const namespace = (env as unknown as { BED: DurableObjectNamespace }).BED;
    const stub = namespace.get(namespace.idFromName(`bed-${beds++}-${crypto.randomUUID()}`));
    return await runInDurableObject(stub, (_instance, state) => work(workersSql(state.storage)));
  },
};
