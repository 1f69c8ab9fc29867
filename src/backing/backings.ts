import type { Backing } from "./backing.ts";

/** The storages of a deployment, by the names under which spaces choose them: each gives that of a space. */
export type Backings = Readonly<Record<string, (space: string) => Backing | Promise<Backing>>>;
