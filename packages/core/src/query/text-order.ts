/**
 * Below 0 if `left` comes first, above 0 if `right` does: the order of code points, which is that
 * of UTF-8 bytes. A lone surrogate, which JSON escapes can spell, counts as the code point it is.
 */
export function compareText(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  let at = 0;
  while (at < length && left.charCodeAt(at) === right.charCodeAt(at)) at++;
  if (at === length) return left.length - right.length;
  // Texts that part in the second half of a character differ by the whole of it.
  if (at > 0 && isHigh(left.charCodeAt(at - 1))) {
    if (isLow(left.charCodeAt(at)) || isLow(right.charCodeAt(at))) at--;
  }
  return left.codePointAt(at)! - right.codePointAt(at)!;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
