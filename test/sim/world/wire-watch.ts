/** Looks at what goes over one socket: counts frames, and sees to it that pushes leave no hole and keep the order of the log (rule SB1). */
export class WireWatch {
  readonly #count: (what: string) => void;
  readonly #wrong: (what: string) => void;
  #cursor: Cursor | undefined;
  #epoch = "";
  #to: number | undefined;

  constructor(count: (what: string) => void, wrong: (what: string) => void) {
    this.#count = count;
    this.#wrong = wrong;
  }

  sent(data: string): void {
    const kind = kindOf(data);
    this.#count(`sent ${kind}`);
    if (kind === "hello") this.#cursor = (JSON.parse(data) as { readonly cursor?: Cursor }).cursor;
  }

  received(data: string): void {
    const kind = kindOf(data);
    this.#count(`told ${kind}`);
    if (kind === "welcome") this.#welcomed(JSON.parse(data) as Cursor & { readonly resumed: string });
    else if (kind === "ev") this.#pushed(JSON.parse(data) as Pushed);
    else if (kind === "gap" || kind === "prog") {
      const { epoch, to } = JSON.parse(data) as Pushed;
      this.#epoch = epoch;
      this.#to = to;
    }
  }

  /** What is promised from here on. */
  #welcomed({ epoch, revision, resumed }: Cursor & { readonly resumed: string }): void {
    const from = resumed === "replay" && this.#cursor !== undefined ? this.#cursor : { epoch, revision };
    this.#epoch = from.epoch;
    this.#to = from.revision;
  }

  #pushed({ epoch, after, to, es }: Pushed): void {
    // A session that wakes may be told a little twice, but nothing is left out.
    if (epoch === this.#epoch && this.#to !== undefined && after > this.#to)
      this.#wrong(`pushes go on after ${after}, though what was pushed ends at ${this.#to}`);
    let last = after;
    for (const [revision] of es) {
      if (revision < last || revision > to)
        this.#wrong(`${revision} stands between ${last} and ${to} in a push`);
      last = revision;
    }
    this.#epoch = epoch;
    this.#to = Math.max(to, epoch === this.#epoch ? (this.#to ?? 0) : 0);
  }
}

interface Cursor {
  readonly epoch: string;
  readonly revision: number;
}

interface Pushed {
  readonly epoch: string;
  readonly after: number;
  readonly to: number;
  readonly es: readonly (readonly [number, string, string])[];
}

function kindOf(data: string): string {
  return /^\{"t":"(\w+)"/.exec(data)?.[1] ?? "?";
}
