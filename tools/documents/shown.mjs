// What a document shows of a command's output. A line `…` stands for any number of lines, and `…` at the end of a line for the rest of it.

/**
 * Says how an output differs from what is shown of it.
 *
 * @param {string} shown
 * @param {string} output
 * @returns {string | null} the first line that is not there; `null` where nothing differs.
 */
export function differenceOf(shown, output) {
  const lines = linesOf(output);
  const wanted = linesOf(shown);
  let from = 0;
  let isAnywhere = false;
  for (let at = 0; at < wanted.length; ) {
    if (wanted[at] === '…') {
      isAnywhere = true;
      at++;
      continue;
    }
    // Lines up to the next gap follow each other.
    const gap = wanted.indexOf('…', at);
    const piece = wanted.slice(at, gap < 0 ? undefined : gap);
    const isLast = gap < 0;
    const places = isAnywhere ? lines.map((_, index) => index).slice(from) : [from];
    const place = places.find(
      (start) =>
        piece.every((line, index) => isShown(line, lines[start + index])) &&
        (!isLast || start + piece.length === lines.length),
    );
    if (place === undefined) return `it does not print, where it is shown:\n${piece.join('\n')}`;
    from = place + piece.length;
    isAnywhere = false;
    at += piece.length;
  }
  if (!isAnywhere && from < lines.length)
    return `it prints more than is shown:\n${lines.slice(from).join('\n')}`;
  return null;
}

/**
 * @param {string} line
 * @param {string | undefined} printed
 */
function isShown(line, printed) {
  if (printed === undefined) return false;
  return line.endsWith('…') ? printed.startsWith(line.slice(0, -1)) : printed === line;
}

/**
 * Spaces at the ends of lines, and empty lines at the ends of a text, do not count.
 *
 * @param {string} text
 */
function linesOf(text) {
  const lines = text.split('\n').map((line) => line.trimEnd());
  while (lines.at(-1) === '') lines.pop();
  return lines;
}
