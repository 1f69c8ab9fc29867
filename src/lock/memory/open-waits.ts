/** Calls that wait inside the process until something is said under their topic. */
export class OpenWaits<Answer> {
  readonly #open = new Map<string, Set<OpenWait<Answer>>>();

  isOpen(topic: string): boolean {
    return this.#open.has(topic);
  }

  open(topic: string, wait: OpenWait<Answer>): void {
    const others = this.#open.get(topic);
    if (others === undefined) this.#open.set(topic, new Set([wait]));
    else others.add(wait);
  }

  close(topic: string, wait: OpenWait<Answer>): void {
    const waits = this.#open.get(topic);
    waits?.delete(wait);
    if (waits?.size === 0) this.#open.delete(topic);
  }

  /** Asks those who wait for a topic whether they have their answer now. */
  wake(topic: string): void {
    for (const wait of [...(this.#open.get(topic) ?? [])]) {
      const answer = wait.look();
      if (answer !== undefined) wait.answer(answer);
    }
  }
}

export interface OpenWait<Answer> {
  /** Undefined: it has to wait on. */
  look(): Answer | undefined;
  answer(answer: Answer): void;
}
