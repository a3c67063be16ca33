import { describe, expect, it } from 'vitest';
import { recognize } from '../../src/simulate/trace/recognize.js';
import { champsimRecord, drmemtraceRecords, readBytes } from '../support/traces.js';

const LACKEY = [
  '==761== Lackey, an example Valgrind tool',
  '==761== Command: sort words.txt',
  'I  0401ab70,3',
  ' S 1fff000678,8',
  'the program prints this',
  ' L 04222a40,16',
  ' M 0421f010,4',
  'I  ffffffffffffffff,1',
  '==761== Exit code:       0',
  '',
].join('\n');
const LACKEY_ACCESSES = [
  ['F', 0x401ab70n, 3],
  ['S', 0x1fff000678n, 8],
  ['L', 0x4222a40n, 16],
  ['L', 0x421f010n, 4],
  ['S', 0x421f010n, 4],
  ['F', 0xffffffffffffffffn, 1],
];

describe('the reader of lackey', () => {
  it.each([1, 7, 64, 65536])('reads records that come in pieces of %i bytes', (piece) => {
    const { accesses, counts, rest } = readBytes('lackey', LACKEY, piece);
    expect(accesses).toEqual(LACKEY_ACCESSES);
    expect(counts).toEqual({
      ...{ records: 5, others: 4 },
      firstOther: "'==761== Lackey, an example Valgrind tool'",
    });
    expect(rest).toBe(0);
  });

  it('reads lines that end in CR LF', () => {
    const { accesses, counts } = readBytes('lackey', LACKEY.replaceAll('\n', '\r\n'));
    expect(accesses).toEqual(LACKEY_ACCESSES);
    expect(counts.others).toBe(4);
  });

  it('leaves a last line without an end, since more of it may come', () => {
    expect(readBytes('lackey', 'I  0401ab70,3\n L 1fff0006').rest).toBe(' L 1fff0006'.length);
    expect(readBytes('lackey', 'I  0401ab70,3\nI  0401ab70,3').accesses).toHaveLength(1);
  });

  it('counts a line of any length once', () => {
    const long = `${'x'.repeat(700_000)}\n`;
    const { accesses, counts } = readBytes('lackey', `${long}I  0401ab70,3\n`, 1000);
    expect(accesses).toEqual([['F', 0x401ab70n, 3]]);
    expect(counts.others).toBe(1);
  });

  it.each([
    ['I  0401ab7x,3', 3],
    ['I  0401ab70,', 3],
    [' L 0401ab70,0', 3],
    [' S 0401ab70,65536', 3],
    ['I  00000000401ab7012,3', 3],
    ['I  0401ab70,3 ', 3],
    ['I  0401ab70', 3],
  ])('refuses %j, which begins as a record', (line, place) => {
    expect(() => readBytes('lackey', `I  0401ab70,3\nhello\n${line}\n`)).toThrow(
      expect.objectContaining({ place, message: expect.stringContaining('expected a record of lackey') }),
    );
  });

  it.each(['I am the program', ' L hello', 'I  think so', ' X 0401ab70,3', '', ' L'])(
    'passes over %j, which does not',
    (line) => {
      const { counts, rest } = readBytes('lackey', `${line}\nI  0401ab70,3\n`);
      expect(counts).toMatchObject({ records: 1, others: 1 });
      expect(rest).toBe(0);
    },
  );
});

describe('the reader of ChampSim', () => {
  const bytes = Uint8Array.from([
    ...champsimRecord(0x401000n, [0x7fff00001000n, 0x602000n], [0x603008n], [1, 1]),
    ...champsimRecord(0x401005n, [], []),
    ...champsimRecord(0x401008n, [0x1n, 0x2n, 0x3n, 0x4n], [0x5n, 0x6n], [1, 0]),
  ]);

  it.each([1, 100, 65536])('reads records that come in pieces of %i bytes: fetch, loads, stores', (piece) => {
    const { accesses, counts, rest } = readBytes('champsim', bytes, piece);
    expect(accesses).toEqual([
      ['F', 0x401000n, 1],
      ['L', 0x7fff00001000n, 1],
      ['L', 0x602000n, 1],
      ['S', 0x603008n, 1],
      ['F', 0x401005n, 1],
      ['F', 0x401008n, 1],
      ...[1n, 2n, 3n, 4n].map((address) => ['L', address, 1]),
      ...[5n, 6n].map((address) => ['S', address, 1]),
    ]);
    expect(counts.records).toBe(3);
    expect(rest).toBe(0);
  });

  it('leaves a record that is not whole', () => {
    expect(readBytes('champsim', bytes.subarray(0, 150))).toMatchObject({ counts: { records: 2 }, rest: 22 });
  });

  it('refuses a record whose flags are neither 0 nor 1', () => {
    const bad = Uint8Array.from([...champsimRecord(1n, [], []), ...champsimRecord(1n, [], [], [1, 7])]);
    expect(() => readBytes('champsim', bad)).toThrow(
      expect.objectContaining({ place: 2, message: expect.stringContaining('not 1 and 7') }),
    );
  });
});

describe('the reader of drmemtrace', () => {
  const records = [
    [25, 0, 7n],
    [22, 4, 9n],
    [28, 2, 13_300_000_000n],
    [47, 4, 0n],
    [10, 5, 0x401000n],
    [0, 8, 0x7ffd00001ff8n],
    [12, 3, 0x401005n],
    [1, 4, 0x602000n],
    [29, 2, 0x401008n],
    [2, 64, 0x603000n],
    [48, 2, 0x40100an],
    [31, 2, 0x40100cn],
    [26, 0, 0n],
  ] as const;

  it.each([1, 50, 65536])('reads records that come in pieces of %i bytes', (piece) => {
    const { accesses, counts, rest } = readBytes('drmemtrace', drmemtraceRecords(records), piece);
    expect(accesses).toEqual([
      ['F', 0x401000n, 5],
      ['L', 0x7ffd00001ff8n, 8],
      ['F', 0x401005n, 3],
      ['S', 0x602000n, 4],
      ['F', 0x40100an, 2],
      ['F', 0x40100cn, 2],
    ]);
    // Header, thread, marker, encoding, an instruction that is not fetched again, a prefetch, footer.
    expect(counts).toMatchObject({ records: 6, others: 7 });
    expect(rest).toBe(0);
  });

  it('refuses another first record, and an unknown type', () => {
    expect(() => readBytes('drmemtrace', drmemtraceRecords([[10, 5, 1n]]))).toThrow(
      'a header (type 25), not type 10',
    );
    expect(() => readBytes('drmemtrace', drmemtraceRecords([...records, [50, 0, 0n]]))).toThrow(
      expect.objectContaining({ place: 14, message: expect.stringContaining('a type from 0 to 49') }),
    );
  });
});

describe("the reader of drmemtrace's view", () => {
  const text = [
    'Output format:',
    '<--record#-> <--instr#->: <---tid---> <record details>',
    '------------------------------------------------------------',
    '           1           0:       3264 <marker: version 6>',
    '          16           1:       3264 ifetch       3 byte(s) @ 0x00007f1e8a2b4090 48 89 e7             mov    %rsp -> %rdi',
    '          17           2: W0.T3264 ifetch       5 byte(s) @ 0x00007f1e8a2b4093 e8 c8 0c 00 00       call   $0x00007f1e8a2b4d60',
    '          18           2: W0.T3264 write        8 byte(s) @ 0x00007ffc5b7d4ea8 by PC 0x00007f1e8a2b4093',
    '          19           2: W0.T3264 read         8 byte(s) @ 0x602000 by PC 0x00007f1e8a2b4093',
    '',
  ].join('\n');

  it.each(['\n', '\r\n'])('reads records, with lines that end in %j', (end) => {
    const { accesses, counts, rest } = readBytes('drmemtrace-view', text.replaceAll('\n', end), 50);
    expect(accesses).toEqual([
      ['F', 0x7f1e8a2b4090n, 3],
      ['F', 0x7f1e8a2b4093n, 5],
      ['S', 0x7ffc5b7d4ea8n, 8],
      ['L', 0x602000n, 8],
    ]);
    expect(counts).toMatchObject({ records: 4, others: 4, firstOther: "'Output format:'" });
    expect(rest).toBe(0);
  });

  it('refuses a record without an address', () => {
    expect(() => readBytes('drmemtrace-view', `${text}20 2: W0.T1 read 8 byte(s) @ nowhere\n`)).toThrow(
      expect.objectContaining({ place: 9 }),
    );
  });
});

describe('recognition by content', () => {
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

  it.each([
    ['lackey', encode(LACKEY)],
    ['lackey', encode('some output\r\n S 1fff000678,8\r\n')],
    ['drmemtrace-view', encode('           1           0:       3264 <marker: version 6>\n')],
    ['drmemtrace-view', encode('1 1: W0.T1 read 8 byte(s) @ 0x1000 by PC 0x2\n')],
    ['drmemtrace', drmemtraceRecords([[25, 0, 7n]])],
    ['champsim', champsimRecord(0x401000n, [0x1000n], [])],
  ] as const)('tells %s', (format, bytes) => {
    expect(recognize(bytes, true)).toBe(format);
  });

  it.each([
    ['text of something else', encode('total 12\n-rw-r--r-- 1 root root 0 a\n')],
    ['zeros', new Uint8Array(128)],
    ['a record of ChampSim that is not whole', champsimRecord(0x401000n, [], []).subarray(0, 60)],
    ['nothing', new Uint8Array()],
  ])('tells nothing of %s', (_what, bytes) => {
    expect(recognize(bytes, true)).toBeNull();
  });
});
