import { resolveQuery, sealBody } from "../../schemas/operations.ts";
import { wordsOf } from "../words.ts";

/** Of bodies and queries about operations. */
export const operationWords = [
  wordsOf(resolveQuery, {
    key: "A key of the operation, so that only its shard is asked. Default: every shard.",
    index: "Which operation of a batch that had this one op id, from 0 on.",
  }),
  wordsOf(sealBody, {
    key: "A key of the operation, so that only its shard is asked. Default: every shard.",
    index: "Which operation of a batch that had this one op id, from 0 on.",
  }),
];
