import { getKeyQuery, mergeKeyQuery, putKeyQuery } from "../../schemas/keys.ts";
import { wordsOf } from "../words.ts";

const written = {
  expiresInMs: "Ends the value after this time; without it the value stays until it is deleted.",
  tags: "Up to 16 tags, separated by commas: copies can be invalidated by them.",
  lease: "Attaches the key to this live lease in the same commit; wants the verb `delete`, too.",
};

/** Of bodies and queries about one key. */
export const keyWords = [
  wordsOf(getKeyQuery, {
    version: "Reads this kept version.",
    at: "Reads the version that was present then: ISO 8601 with its zone, or Unix ms.",
    allowStale: "Takes a copy in its grace at once; the answer is marked stale.",
  }),
  wordsOf(mergeKeyQuery, written),
  wordsOf(putKeyQuery, {
    ...written,
    replace: "Replaces the value also where the key's registration has a merge rule.",
  }),
];
