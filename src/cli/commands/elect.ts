import type { Command } from "../command.ts";
import { withLocks } from "../coordination.ts";
import { commandOf, holdFlags, holdOptions, runUnder } from "../under-lock.ts";
import { readPayload } from "../value.ts";

export const elect: Command = {
  name: "elect",
  summary: "run a command while this process leads an election",
  arguments: [
    { name: "NAME", help: "the election" },
    { name: "VALUE", help: "what others read of the leader, such as its address; @FILE" },
    { name: "COMMAND", rest: true, help: "what to run, with its arguments; after --" },
  ],
  flags: [
    { name: "wait", value: "TIME", help: "how long to stand as a candidate; default as long as it takes" },
    { name: "type", value: "TYPE", help: "media type of VALUE, or json, text or bytes; default text" },
    ...holdFlags,
  ],
  notes: [
    "Candidates wait in order of arrival. Everything else is as with warp lock: environment, exit codes, what happens when the leadership is lost.",
    "Nodes read values as JSON unless they name another codec: for them give --type json, or textCodec there.",
  ],
  examples: [
    {
      line: "warp elect scheduler http://10.0.0.1 -- warp leader scheduler --value",
      prints: ["http://10.0.0.1"],
    },
    { line: "warp elect scheduler one -- warp elect scheduler two --wait 200ms -- echo never", exit: 75 },
  ],
  async run(context, args) {
    const waitMs = args.durationMs("wait");
    const work = commandOf(args, 2);
    const { host, json, timeoutMs } = context;
    const value = await readPayload(args, host, () => "text");
    return await withLocks(
      context,
      async (locks) =>
        await runUnder({
          ...work,
          json,
          host,
          acquire: async (signal) =>
            await locks.campaign(args.at(0), value, {
              ...holdOptions(args),
              ...(waitMs === undefined ? {} : { waitMs }),
              timeoutMs,
              signal,
            }),
        }),
    );
  },
};
