import { WarpError } from "../../errors.ts";
import { Listeners } from "./listeners.ts";
import type { ClientWatch, WatchedItem, WatchStatus } from "./types.ts";

/** A watch whose works are still to be loaded: they come with the first watch, so that who only reads and writes does without. */
export class WatchHandle<T> implements ClientWatch<T> {
  readonly ready: Promise<void>;
  readonly #works: Promise<ClientWatch<T>>;
  readonly #changes = new Listeners<WatchStatus>();
  #watch: ClientWatch<T> | undefined;
  #isOver = false;

  constructor(works: Promise<ClientWatch<T>>) {
    this.#works = works.then(
      (watch) => {
        this.#watch = watch;
        watch.onStatus((status) => this.#changes.tell(status));
        if (this.#isOver) watch.close();
        return watch;
      },
      (cause: unknown) => {
        throw WarpError.from(cause, "unavailable", "watches could not be loaded");
      },
    );
    this.ready = this.#works.then(({ ready }) => ready);
    // Whoever only loops learns of it there.
    this.ready.catch(() => {});
  }

  get cursor(): string | undefined {
    return this.#watch?.cursor;
  }

  get status(): WatchStatus {
    return this.#watch?.status ?? (this.#isOver ? "ended" : "connecting");
  }

  onStatus(listener: (status: WatchStatus) => void): () => void {
    return this.#changes.listen(listener);
  }

  close(): void {
    this.#isOver = true;
    this.#watch?.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchedItem<T>, void, void> {
    yield* await this.#works;
  }
}
