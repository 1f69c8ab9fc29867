import { utf8 } from "../runtime/bytes.ts";
import { sha1 } from "./sha1.ts";

/** A Lua script: carried out as a whole, with nothing of others in between. It is named by its hash, and sent only where the server does not know it. */
export class Script {
  readonly text: string;
  readonly sha: string;

  constructor(text: string) {
    this.text = text;
    this.sha = sha1(utf8(text));
  }
}
