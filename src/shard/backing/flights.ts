/** One key's way from the storage into the shard: from the question to the moment at which the shard has made the answer its own. */
export class Flight {
  /** The key was changed meanwhile: what the storage says may be older than that. */
  isVoid = false;
  /** Rejects where the storage could not be asked. */
  readonly done: Promise<void>;
  readonly land: (outcome: Promise<void>) => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.land = resolve;
    // Whoever waits for it hears of a failure; nobody has to.
    this.done.catch(() => {});
  }
}

/** Keys that are being read from the storage, each once at a time. */
export class Flights {
  readonly #flights = new Map<string, Flight>();

  /** Brings `keys`: those on their way already are waited for, the others are what `bring` gets. */
  async bring(
    keys: readonly string[],
    bring: (flights: ReadonlyMap<string, Flight>) => Promise<void>,
  ): Promise<void> {
    const own = new Map<string, Flight>();
    const others: Promise<void>[] = [];
    for (const key of new Set(keys)) {
      const flight = this.#flights.get(key);
      if (flight !== undefined) others.push(flight.done);
      else own.set(key, new Flight());
    }
    for (const [key, flight] of own) this.#flights.set(key, flight);
    if (own.size > 0) {
      const done = bring(own).finally(() => {
        for (const [key, flight] of own) if (this.#flights.get(key) === flight) this.#flights.delete(key);
      });
      for (const flight of own.values()) flight.land(done);
      others.push(done);
    }
    await Promise.all(others);
  }

  /** The key was changed. */
  changed(key: string): void {
    const flight = this.#flights.get(key);
    if (flight !== undefined) flight.isVoid = true;
  }

  changedAll(isMeant: (key: string) => boolean): void {
    for (const [key, flight] of this.#flights) if (isMeant(key)) flight.isVoid = true;
  }
}
