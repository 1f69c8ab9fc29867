/** What the tabs of an origin have in common: the Web Locks of a browser, and its broadcast channels. */
export interface TabHost {
  readonly locks: TabLocks;
  /** Messages arrive at all others of the same name, in the order of their sender. */
  channel(name: string, hear: (message: unknown) => void): TabChannel;
}

export interface TabLocks {
  /**
   * Holds the lock from when it is granted until what `hold` gives settles. Rejects where the signal ends the wait, and where another has stolen it.
   */
  request(
    name: string,
    options: { readonly signal?: AbortSignal; readonly steal?: boolean },
    hold: () => Promise<void>,
  ): Promise<unknown>;
}

export interface TabChannel {
  post(message: unknown): void;
  close(): void;
}
