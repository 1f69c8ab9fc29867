import { connectQuery } from "../../schemas/connect.ts";
import { tokenBody } from "../../schemas/tokens.ts";
import { wordsOf } from "../words.ts";

/** Of tokens, and of sockets. */
export const accessWords = [
  wordsOf(connectQuery, {
    shard: "The shard that the socket is for; 0 to the number of the space's shards less 1.",
    follow: "`false`: this is no node, so that a token of some prefixes or verbs will do.",
    auth: "`frame`: the token comes in the first frame.",
  }),
  wordsOf(tokenBody, {
    prefixes: "Default: those of the token that asks.",
    streamMs: "With `use`: how long what it opens may last; default 10 minutes.",
    use: "`once`: it opens one stream, as `?token=`, and lives a minute at most.",
  }),
];
