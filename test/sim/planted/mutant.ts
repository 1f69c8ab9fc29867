/** A bug to plant: one place of one source file, written otherwise. */
export interface Mutant {
  readonly name: string;
  /** Path of the file in the project. */
  readonly file: string;
  /** A text that stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** What is wrong then, in a sentence. */
  readonly what: string;
}
