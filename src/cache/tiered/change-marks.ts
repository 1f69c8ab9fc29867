const places = 1_024;

/**
 * Tells whether a key was changed between two moments, in a fixed table: two keys may share a place, which makes an unchanged key look
 * changed and never a changed one look unchanged.
 */
export class ChangeMarks {
  readonly #keys = new Float64Array(places);
  #all = 0;

  /** A number that is another one after `key`, or everything, changed. */
  at(key: string): number {
    return this.#all + (this.#keys[place(key)] ?? 0);
  }

  change(key: string): void {
    const at = place(key);
    this.#keys[at] = (this.#keys[at] ?? 0) + 1;
  }

  changeAll(): void {
    this.#all++;
  }
}

function place(key: string): number {
  let h = 0;
  for (let i = 0; i < key.length; i++) h = (Math.imul(h, 31) + key.charCodeAt(i)) | 0;
  return (h ^ (h >>> 15)) & (places - 1);
}
