/** One socket as one tab sees it. */
export interface LineName {
  readonly tab: string;
  readonly line: number;
}

/** What tabs say to each other on the channel of a group. */
export type TabMessage =
  /** A tab wants a line over the leader's socket. */
  | (LineName & { readonly k: "open"; readonly protocols: readonly string[] })
  | (LineName & { readonly k: "send"; readonly leader: string; readonly data: string })
  | (LineName & { readonly k: "close"; readonly leader: string })
  /** There is a new leader: what was open at another one has ended, what was asked for is to be asked for again. */
  | { readonly k: "lead"; readonly leader: string }
  /** The leader carries it, and has its socket, or will. */
  | (LineName & { readonly k: "taken" | "opened"; readonly leader: string })
  | (LineName & { readonly k: "data"; readonly leader: string; readonly data: string })
  /** For every line that was opened by this leader. */
  | { readonly k: "all"; readonly leader: string; readonly data: string }
  | (LineName & {
      readonly k: "ended";
      readonly leader: string;
      readonly code: number;
      readonly reason: string;
    });
