import type { Command } from "../command.ts";

const verbs = ["read", "write", "delete", "invalidate", "lock", "metrics", "admin"];

export const tokenMint: Command = {
  name: "token mint",
  summary: "make a scoped token that expires, and print it",
  arguments: [],
  flags: [
    { name: "subject", value: "NAME", help: "whose token it is; wanted" },
    {
      name: "for-space",
      value: "SPACE",
      multiple: true,
      help: "a space, a prefix* of spaces or *; default --space",
    },
    {
      name: "prefix",
      value: "P",
      multiple: true,
      help: "keys that begin with it; default: those of the caller",
    },
    {
      name: "verb",
      value: "VERB",
      multiple: true,
      choices: verbs,
      help: `of ${verbs.join(", ")}; default read`,
    },
    { name: "expires", value: "TIME", help: "1s to 30d; default 1h" },
  ],
  notes: [
    "The caller shows the secret, or a token with the verb admin: nobody mints wider or longer than what it has itself.",
    "An open deployment has nothing to sign with.",
  ],
  examples: [
    { line: "warp token mint --subject web --prefix user: --verb read --expires 10m > web.token" },
    { line: `WARP_TOKEN="$(warp token mint --subject app --verb read --verb write)" warp get user:1` },
    { line: "WARP_TOKEN=wrong warp token mint --subject app", exit: 5 },
  ],
  async run({ client, space, host, json }, args) {
    const spaces = args.all("for-space");
    const prefixes = args.all("prefix");
    const asked = args.all("verb");
    const expiresInMs = args.durationMs("expires");
    const answer = await client.json<{ token: string }>({
      method: "POST",
      path: "/tokens",
      json: {
        subject: args.text("subject"),
        spaces: spaces.length === 0 ? [space] : spaces,
        verbs: asked.length === 0 ? ["read"] : asked,
        ...(prefixes.length === 0 ? {} : { prefixes }),
        ...(expiresInMs === undefined ? {} : { expiresInMs }),
      },
    });
    await host.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${answer.token}\n`);
    return undefined;
  },
};
