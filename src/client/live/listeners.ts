/** Who listens to one kind of news. One that throws keeps nobody else from hearing: its error goes to the host, as an uncaught one. */
export class Listeners<T> {
  readonly #all = new Set<{ readonly hear: (news: T) => void }>();

  /** The answer ends it. */
  listen(hear: (news: T) => void): () => void {
    const listener = { hear };
    this.#all.add(listener);
    return () => void this.#all.delete(listener);
  }

  tell(news: T): void {
    for (const { hear } of [...this.#all]) {
      try {
        hear(news);
      } catch (error) {
        void Promise.reject(error);
      }
    }
  }
}
