/**
 * Whether JSON text is nested at most `max` deep. Looked at before it is parsed: a parser's own memory grows with the depth. Texts are
 * leapt over, so that megabytes of base64 cost next to nothing.
 */
export function isShallow(json: string, max: number): boolean {
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const unit = json.charCodeAt(i);
    if (unit === quote) {
      i = endOfText(json, i + 1);
      if (i < 0) return true; // It has no end: no JSON, which its parser says.
    } else if (unit === openBrace || unit === openBracket) {
      if (++depth > max) return false;
    } else if (unit === closeBrace || unit === closeBracket) depth--;
  }
  return true;
}

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** The place of the quote that ends the text begun before `from`; -1: none. */
function endOfText(json: string, from: number): number {
  for (let end = json.indexOf('"', from); end >= 0; end = json.indexOf('"', end + 1)) {
    let slashes = 0;
    while (json.charCodeAt(end - 1 - slashes) === backslash) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return -1;
}
