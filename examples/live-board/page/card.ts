/** A card as it is stored, under a key of the board's prefix. */
export interface Card {
  readonly text: string;
  readonly column: Column;
  /** Who changed it last. */
  readonly by: string;
}

export const columns = ["todo", "doing", "done"] as const;
export type Column = (typeof columns)[number];

export const titles: Readonly<Record<Column, string>> = { todo: "To do", doing: "Doing", done: "Done" };

/** What others may have written is looked at before it is shown. */
export function isCard(value: unknown): value is Card {
  if (typeof value !== "object" || value === null) return false;
  const { text, column, by } = value as Partial<Record<keyof Card, unknown>>;
  return typeof text === "string" && columns.includes(column as Column) && typeof by === "string";
}
