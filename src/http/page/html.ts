/** Text that may stand in HTML, in an attribute too. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Words with `code` in backquotes, as HTML. */
export function words(text: string): string {
  return escaped(text).replace(/`([^`]+)`/g, "<code>$1</code>");
}

/** A table; cells are HTML already. None without rows. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const cells = (row: readonly string[]): string =>
    row.map((cell, i) => `<td data-h="${escaped(head[i] ?? "")}">${cell}</td>`).join("");
  return `<table><thead><tr>${head.map((name) => `<th>${escaped(name)}</th>`).join("")}</tr></thead><tbody>${rows
    .map((row) => `<tr>${cells(row)}</tr>`)
    .join("")}</tbody></table>`;
}

/** A block of code with a button that copies it. */
export function codeBlock(text: string, label: string): string {
  return `<figure><figcaption>${escaped(label)}<button type="button" class="copy" aria-label="Copy: ${escaped(label)}">Copy</button></figcaption><pre tabindex="0"><code>${escaped(text)}</code></pre></figure>`;
}
