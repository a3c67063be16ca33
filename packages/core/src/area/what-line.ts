/** Most characters of a line that are looked at. */
const LOOKED_AT = 400;

/** A range of addresses and the beginning of a size, anywhere in a line. */
const RANGE = /0x(?:[0-9a-f]{1,16}|\(_*ptrval_*\))-0x(?:[0-9a-f]{1,16}|\(_*ptrval_*\))[ \t]+\d/i;

/** What stands before the range in a line that somebody or some tool changed. The first match counts. */
const PREFIXES: readonly (readonly [RegExp, string])[] = [
  [/^\s+$/, 'an indented line'],
  [/^\s*(?:[>|]\s*)+$/, "a mail's quoted line"],
  [/^\s*(?:&gt;\s*)+$/, "a mail's quoted line in HTML"],
  [/^\s*\[\s*\d+\.\d+\]/, 'a line of the kernel log with its time'],
  [/^\s*\d+[:.|)]?\s*$/, 'a numbered line'],
  [/vmallocinfo[^\s:]*:(?:\d+:)?\s*$/, "a line of grep with the file's name"],
  [/^[+-]\s*$/, 'a line of a diff'],
  [/^\s*(?:#|\/\/|\*|--)\s*$/, 'a comment'],
  [/[$#%>]\s*$/, "a line after a shell's prompt"],
];

/** Lines without a range. The first match counts. */
const LINES: readonly (readonly [RegExp, string])[] = [
  [
    /^(?:[>|]\s?)*\s*(?:pages=|phys=|N\d+=|(?:ioremap|sparse|vmalloc|vmap|user|dma-coherent|vpages|vm_map_ram|unpurged vm_area)(?:\s|$)|[\w.$]+\+0x[0-9a-f]+\/0x[0-9a-f]+|\/0x[0-9a-f]+\b|\[[\w-]+\])/i,
    'the rest of the line before, which a mail program wrapped: join the two lines',
  ],
  [
    /^\s*(?:VMAP_AREA\b|[0-9a-f]{8,16}\s+[0-9a-f]{8,16}\s+[0-9a-f]{8,16} - )/i,
    "crash's kmem -v, another format",
  ],
  [
    /(?:[$#%>]\s*(?:sudo\s+)?\w[\w-]*\b.*|^\s*(?:sudo\s+)?(?:cat|grep|less|head|tail)\s.*)vmallocinfo/,
    "a shell's prompt with its command: remove the line",
  ],
  [/^\s*(?:```|~~~)/, 'a code fence of Markdown: remove the line'],
  [/^\s*(?:\.\.\.|…|\[\.\.\.\]|<snip>)/i, 'a mark for lines that were left out: remove the line'],
  [
    /^\s*(?:[>|]\s*)*0x(?:[0-9a-f]{1,16}|\(_*ptrval_*\))-(?:0x(?:[0-9a-f]{1,16}|\(_*ptrval_*\)))?\s*$/i,
    'a line that a mail program wrapped, or that was cut short: join it with the next line',
  ],
];

/**
 * Says what a line looks like that is none of /proc/vmallocinfo, and what to do; `null` for anything else.
 *
 * @param line - without its newline. Only its beginning is looked at.
 */
export function lineLooksLike(line: string): string | null {
  const head = line.slice(0, LOOKED_AT);
  const at = RANGE.exec(head)?.index ?? -1;
  if (/=3D/i.test(head) || line.endsWith('='))
    return 'this looks like quoted-printable mail: decode it first';
  if (at > 0) {
    const before = head.slice(0, at);
    const what = PREFIXES.find(([pattern]) => pattern.test(before))?.[1] ?? 'a line of some other tool';
    return `this looks like ${what}: take away the ${at === 1 ? 'character' : `${at} characters`} before 0x`;
  }
  if (at === 0) return null;
  const what = LINES.find(([pattern]) => pattern.test(head))?.[1];
  return what === undefined ? null : `this looks like ${what}`;
}
