import type { Command } from "../command.ts";
import { withLocks } from "../coordination.ts";
import { commandOf, holdFlags, holdOptions, runUnder } from "../under-lock.ts";

const kinds = ["mutex", "read", "write", "semaphore"] as const;

export const lock: Command = {
  name: "lock",
  summary: "run a command under a lock",
  arguments: [
    { name: "NAME", help: "the lock" },
    { name: "COMMAND", rest: true, help: "what to run, with its arguments; after --" },
  ],
  flags: [
    {
      name: "wait",
      value: "TIME",
      help: "how long to stand in the queue where another has it, up to 1h; default not at all",
    },
    ...holdFlags,
    { name: "kind", value: "KIND", choices: kinds, help: `${kinds.join(", ")}; default mutex` },
    { name: "permits", value: "N", help: "semaphore: how many may run at a time, the same number for all" },
    { name: "take", value: "N", help: "semaphore: how many of them this one takes; default 1" },
  ],
  notes: [
    "The lock is renewed while the command runs and given back when it ends; the exit code is the command's. Where another has the lock it is 75, and the command is not run; where there is no such command it is 127, where it can't be run 126.",
    "The command finds WARP_FENCE, the lock's fence, WARP_LOCK and WARP_OWNER in its environment. Send the fence along with writes: warp set --fence.",
    "When the lock is lost, because the server could not be reached for as long as --ttl or an admin ended it, the command and what it has started get SIGTERM, after --kill-after SIGKILL, and the exit code is 76. On a terminal only the command itself gets them.",
    "Where warp itself is killed with -9 the lock ends after --ttl. The command it leaves behind runs on without a lock.",
    "See docs/lock.md for what is promised.",
  ],
  examples: [
    { line: "warp lock nightly -- echo 'one at a time'", prints: ["one at a time"] },
    {
      line: `warp lock nightly --ttl 30s --wait 10s -- sh -c 'warp set report done --fence nightly=$WARP_FENCE'`,
      prints: ["report is at version <n>"],
    },
    { line: "warp lock nightly -- warp lock nightly -- echo never", exit: 75 },
    { line: "warp lock pool --kind semaphore --permits 4 -- sh -c 'exit 9'", exit: 9 },
  ],
  async run(context, args) {
    const waitMs = args.durationMs("wait");
    const permits = args.wholeNumber("permits", 1);
    const take = args.wholeNumber("take", 1);
    const kind = kinds.find((one) => one === args.text("kind"));
    const name = args.at(0);
    const work = commandOf(args, 1);
    const { host, json, timeoutMs } = context;
    return await withLocks(
      context,
      async (locks) =>
        await runUnder({
          ...work,
          json,
          host,
          acquire: async (signal) =>
            await locks.lock(name, {
              ...holdOptions(args),
              ...(waitMs === undefined ? {} : { waitMs }),
              ...(kind === undefined ? {} : { kind }),
              ...(permits === undefined ? {} : { permits }),
              ...(take === undefined ? {} : { take }),
              timeoutMs,
              signal,
            }),
        }),
    );
  },
};
