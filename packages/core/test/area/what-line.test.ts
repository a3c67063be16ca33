import { thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { parseVmallocinfo } from '../../src/area/parse-vmallocinfo.js';
import type { BadVmallocinfoLine } from '../../src/area/vmallocinfo-line.js';
import { VmError } from '../../src/errors.js';

const GOOD = '0xffffc90000161000-0xffffc90000164000   12288 cpu_up+0x66/0xa0 pages=2 vmalloc N0=2';

function messageOf(text: string): string {
  try {
    parseVmallocinfo(text, 'f');
  } catch (error) {
    if (error instanceof VmError) return error.message;
    throw error;
  }
  return 'none';
}

describe('A line that cannot be read is told as', () => {
  test.each([
    [`    ${GOOD}`, 'an indented line: take away the 4 characters before 0x'],
    [`\t${GOOD}`, 'an indented line: take away the character before 0x'],
    [`> ${GOOD}`, "a mail's quoted line: take away the 2 characters before 0x"],
    [`> >> ${GOOD}`, "a mail's quoted line: take away the 5 characters before 0x"],
    [`| ${GOOD}`, "a mail's quoted line: take away the 2 characters before 0x"],
    [`&gt; ${GOOD}`, "a mail's quoted line in HTML: take away the 5 characters before 0x"],
    [`# ${GOOD}`, 'a comment: take away the 2 characters before 0x'],
    [`root@box:~# ${GOOD}`, "a line after a shell's prompt: take away the 12 characters before 0x"],
    [`crash> ${GOOD}`, "a line after a shell's prompt: take away the 7 characters before 0x"],
    [`[   12.345678] ${GOOD}`, 'a line of the kernel log with its time: take away the 15 characters'],
    [`  17\t${GOOD}`, 'a numbered line: take away the 5 characters before 0x'],
    [`17:${GOOD}`, 'a numbered line: take away the 3 characters before 0x'],
    [`/proc/vmallocinfo:${GOOD}`, "a line of grep with the file's name: take away the 18 characters"],
    [`+${GOOD}`, 'a line of a diff: take away the character before 0x'],
    [`box1 says ${GOOD}`, 'a line of some other tool: take away the 10 characters before 0x'],
    ['> 0x(____ptrval____)-0x(____ptrval____)    8192 f+0x1/0x2 vmap', "a mail's quoted line"],
    ['cpu_up+0x66/0xa0 pages=2 vmalloc N0=2', 'the rest of the line before, which a mail program wrapped'],
    ['pages=2 vmalloc N0=2', 'the rest of the line before, which a mail program wrapped'],
    ['> N1=512', 'the rest of the line before, which a mail program wrapped'],
    ['vmalloc N0=2', 'the rest of the line before, which a mail program wrapped'],
    ['[zram] pages=2 vmalloc', 'the rest of the line before, which a mail program wrapped'],
    ['0xffffc90000161000-0xffffc90000164000', 'a line that a mail program wrapped, or that was cut short'],
    ['0xffffc90000161000-', 'a line that a mail program wrapped, or that was cut short'],
    [GOOD.replaceAll('=', '=3D'), 'quoted-printable mail: decode it first'],
    ['0xffffc90000161000-0xffffc90000164000 12=', 'quoted-printable mail: decode it first'],
    ['$ sudo cat /proc/vmallocinfo', "a shell's prompt with its command: remove the line"],
    ['root@box:/# cat /proc/vmallocinfo | head', "a shell's prompt with its command: remove the line"],
    ['cat /proc/vmallocinfo', "a shell's prompt with its command: remove the line"],
    ['```', 'a code fence of Markdown: remove the line'],
    ['...', 'a mark for lines that were left out: remove the line'],
    ['   VMAP_AREA         VM_STRUCT        ADDRESS RANGE       SIZE', "crash's kmem -v, another format"],
    [
      'ffff90ba01053ec0  ffff90ba011529c0  ffffab3ec0000000 - ffffab3ec0005000    20480',
      "crash's kmem -v, another format",
    ],
  ])('%j', (line, what) => {
    expect(messageOf(`${GOOD}\n${line}\n`)).toMatch(
      /^EINVAL: f:2:\d+: expected .*, found .*; this looks like /,
    );
    expect(messageOf(`${GOOD}\n${line}\n`)).toContain(`; this looks like ${what}`);
    expect(messageOf(`${GOOD}\r\n${line}\r\n`)).toContain(`; this looks like ${what}`);
  });

  test.each(['hello', '0x1000-0x3000 8192x', '0x1000-0x3000 8192 f+0x1/0x2 pages=x', '\u001b[2J'])(
    'itself when it looks like nothing known: %j',
    (line) => {
      expect(messageOf(line)).toMatch(/found '[^']*'$/);
    },
  );
});

describe('parseVmallocinfo with onBadLine', () => {
  test('gives the lines that it cannot read, and reads all others', () => {
    const bad: BadVmallocinfoLine[] = [];
    const text = `$ cat /proc/vmallocinfo\n${GOOD}\n> ${GOOD}\n\n${GOOD}\r\n0x1000-0x3000 8193\n`;
    const lines = parseVmallocinfo(text, 'f', { onBadLine: (one) => bad.push(one) });
    expect(lines.map(({ line }) => line)).toEqual([2, 5]);
    expect(bad.map(({ line, column }) => [line, column])).toEqual([
      [1, 1],
      [3, 1],
      [6, 15],
    ]);
    expect(bad[1]?.text).toBe(`> ${GOOD}`.slice(0, 60));
    expect(bad[2]?.message).toBe(
      "f:6:15: expected a size that is a positive multiple of 4096 bytes below 2^64, found '8193'",
    );
  });

  test('ends with what the function throws', () => {
    const stop = new Error('enough');
    const onBadLine = () => {
      throw stop;
    };
    expect(() => parseVmallocinfo('x', 'f', { onBadLine })).toThrow(stop);
  });

  test('shows the beginning of a long line only', () => {
    const bad: BadVmallocinfoLine[] = [];
    parseVmallocinfo('y'.repeat(2 ** 20), 'f', { onBadLine: (one) => bad.push(one) });
    expect(bad[0]?.text).toBe('y'.repeat(60));
    expect(bad[0]?.message.length).toBeLessThan(200);
  });
});

describe('parseVmallocinfo refuses with EINVAL', () => {
  test.each([undefined, null, 5, 5n, ['0x1'], {}, Symbol('x'), new Uint8Array(3)])(
    'what is no text: %o',
    (text) => {
      expect(thrown(() => parseVmallocinfo(text as never))).toMatch(/^EINVAL: the text of vmallocinfo is /);
    },
  );

  test('a name that is no text, and options that are none', () => {
    expect(thrown(() => parseVmallocinfo('', 5 as never))).toMatch(/^EINVAL: the name of the text is 5/);
    expect(thrown(() => parseVmallocinfo('', 'f', { onBad: () => {} } as never))).toMatch(
      /^EINVAL: parseVmallocinfo\(\) has no option `onBad`; did you mean `onBadLine`/,
    );
    expect(thrown(() => parseVmallocinfo('', 'f', { onBadLine: 5 } as never))).toMatch(
      /^EINVAL: onBadLine is 5, expected a function/,
    );
  });

  // To convert digits takes a time that grows with their square: minutes for these.
  test('a hundred million digits as a size', () => {
    const text = `0x1000-0x3000 ${'9'.repeat(1e8)}`;
    expect(thrown(() => parseVmallocinfo(text, 'f'))).toMatch(
      /^EINVAL: f:1:15: expected a size that is a positive multiple of 4096 bytes below 2\^64, found '9{60}…'/,
    );
  });

  test.each([
    ['size', (digits: string) => `0x1000-0x3000 ${digits}`],
    ['number of pages', (digits: string) => `0x1000-0x3000 8192 pages=${digits}`],
    ['physical address', (digits: string) => `0x1000-0x3000 8192 phys=${digits}`],
    ['memory node', (digits: string) => `0x1000-0x3000 8192 N${digits}=1`],
    ['pages of a memory node', (digits: string) => `0x1000-0x3000 8192 N0=${digits}`],
    ['first address', (digits: string) => `0x${digits}-0x3000 8192`],
    ['second address', (digits: string) => `0x1000-0x${digits} 8192`],
  ])('millions of digits as a %s', (_, lineOf) => {
    expect(thrown(() => parseVmallocinfo(lineOf('9'.repeat(2e6)), 'f'))).toMatch(
      /^EINVAL: f:1:\d+: expected /,
    );
  });
});
