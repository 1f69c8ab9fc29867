import { maxAttachedBytes } from "../../../runtime/limits.ts";

/** Whether an attachment has room for them. */
export function isAttachable(records: readonly object[]): boolean {
  return sizeOf(records) <= maxAttachedBytes;
}

/** About how many bytes an attachment takes for them: a text has one for each character, or two if any needs them. */
function sizeOf(records: readonly object[]): number {
  const text = JSON.stringify(records);
  return /[^\0-\xff]/.test(text) ? 2 * text.length : text.length;
}
