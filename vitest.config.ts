import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** Suites that must pass in Node and in workerd alike; `#host` gives each its own clock, SQLite and randomness. */
const portable = [
  "test/{runtime,protocol,merge,locking,lock,lease,metrics,cache,adapter,backing,upstash,fallback,syncbus,watchbus,connection,shard,core,http,client,store,relay}/**/*.test.ts",
];

const host = (name: string) => ({
  alias: { "#host": new URL(`./test/support/host/${name}.ts`, import.meta.url).pathname },
});

export default defineConfig({
  test: {
    projects: [
      {
        resolve: host("node"),
        test: {
          name: "node",
          include: [...portable, "test/{cli,sim}/**/*.test.ts"],
          globalSetup: ["./test/support/redis-bridge/global-setup.ts"],
          isolate: false,
          testTimeout: 60_000,
        },
      },
      {
        resolve: host("workerd"),
        plugins: [
          cloudflareTest({
            main: "./test/support/host/workerd-main.ts",
            miniflare: {
              compatibilityDate: "2026-10-23",
              durableObjects: { BED: { className: "TestBed", useSQLite: true } },
            },
          }),
        ],
        test: {
          name: "workerd",
          include: portable,
          globalSetup: ["./test/support/redis-bridge/global-setup.ts"],
          isolate: false,
          testTimeout: 60_000,
        },
      },
      {
        plugins: [
          cloudflareTest({
            // The sources, not what is built of them.
            main: "./src/worker.ts",
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: { bindings: { WARP_OPEN: "loopback" } },
          }),
        ],
        test: { name: "objects", include: ["test/objects/**/*.test.ts"], testTimeout: 60_000 },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: { name: "package", include: ["test/package/**/*.test.ts"], testTimeout: 120_000 },
      },
    ],
  },
});
