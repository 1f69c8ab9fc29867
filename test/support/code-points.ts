/** Every code point that UTF-8 has a form of, in order, in texts of at most `maxBytes` of it. */
export function* codePoints(maxBytes: number): Generator<string> {
  let text = "";
  let bytes = 0;
  for (let point = 0; point < 0x110000; point++) {
    if (point >= 0xd800 && point < 0xe000) continue;
    const size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (bytes + size > maxBytes) {
      yield text;
      text = "";
      bytes = 0;
    }
    text += String.fromCodePoint(point);
    bytes += size;
  }
  yield text;
}
