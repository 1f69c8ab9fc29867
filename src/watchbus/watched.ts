import type { WatchTarget } from "../protocol/watch.ts";
import { watchedName } from "./options.ts";

/** What is watched, and by how many watches. */
export class Watched {
  readonly names = new Map<string, number>();

  /** Counts one watch; the answer, once, takes it back. */
  add(target: WatchTarget): () => void {
    const name = watchedName(target);
    this.names.set(name, (this.names.get(name) ?? 0) + 1);
    return () => {
      const left = (this.names.get(name) ?? 0) - 1;
      if (left > 0) this.names.set(name, left);
      else this.names.delete(name);
    };
  }
}
