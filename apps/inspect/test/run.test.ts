import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { capture } from './support/capture.js';
import { ARM64, dumpOf, RISCV64, temporary, X86 } from './support/dumps.js';

const COMMANDS = [
  ...[
    'info',
    'walk',
    'translate',
    'leaves',
    'dump',
    'find',
    'diff',
    'stats',
    'processes',
    'export',
    'completion',
  ],
];

/** A file with some bytes. */
function fileOf(name: string, bytes: string | Uint8Array): string {
  const path = join(temporary(), name);
  writeFileSync(path, bytes);
  return path;
}

describe('the command line', () => {
  test.each(COMMANDS)('%s --help shows options and examples', async (command) => {
    const { code, out } = await capture([command, '--help']);
    expect(code).toBe(0);
    expect(out).toContain(`USAGE vmarea-inspect ${command}`);
    expect(out).toContain(`EXAMPLES\n\n  `);
    expect(out).toContain('vmarea-inspect ');
    expect((await capture(['help', command])).out).toBe(out);
  });

  test('lists all commands', async () => {
    const { out } = await capture([]);
    expect(out).toContain(`USAGE vmarea-inspect ${COMMANDS.slice(0, 9).join('|')}`);
  });

  test.each([
    [['inf'], "unknown command 'inf'\nDid you mean info?"],
    [['info'], 'FILE is missing'],
    [['info', 'a', 'b'], "unexpected argument 'b'; options start with --; one FILE is given already"],
    [['walk', 'a'], 'VA… is missing'],
    [['leaves', 'a', '--rot', '1'], "unknown option '--rot'\nDid you mean --root?"],
    [['info', '/no/such'], 'cannot read /no/such: there is no such file'],
    [['info', '/'], 'cannot read /: it is a directory; name a file'],
    [['completion', 'tcsh'], "unknown value of SHELL 'tcsh'"],
    [['diff', 'a'], 'diff needs two'],
  ])('%j is refused with exit code 2', async (args, message) => {
    const { code, out, err } = await capture(args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });

  test('a file that is no dump is refused with what was expected', async () => {
    const { code, err } = await capture(['leaves', fileOf('text', 'no dump\n'.repeat(100))]);
    expect(code).toBe(2);
    expect(err).toMatch(
      /text: byte 0x0 of the file: no container: expected .*; raw memory needs --map: where its pieces are/,
    );
    expect((await capture(['leaves', fileOf('empty', '')])).err).toContain('empty: it is empty');
  });

  test('a packed file is refused with the command that unpacks it', async () => {
    const { code, err } = await capture(['info', fileOf('dump.gz', gzipSync('ELF'))]);
    expect(code).toBe(2);
    expect(err).toContain('it is packed by gzip: unpack it with gunzip');
  });

  test.each([
    [['--root', '9'], 'no root was found that is called "9": there are 1 to'],
    [['--root', 'kernal'], 'no root was found that is called "kernal"'],
    [['--root', '0x1'], 'the root is not a multiple of its size'],
    [['--root', '0x10000000000000'], 'the memory has no bytes at the root'],
    [['--root', '1', '--format', 'riscv64-sv39'], 'the candidate 1 has its own format'],
    [['--format', 'arm64-4k-48'], 'the best root is one of riscv64-sv39, not arm64-4k-48'],
    [['--format', 'riscv64-sv38'], "unknown format 'riscv64-sv38'"],
    [['--root', '1', '--satp', '0x8000000000081fcb'], 'a root is named twice'],
    [['--satp', '5'], 'has the mode 0; that is Bare'],
    [['--satp', 'x'], "--satp is 'x'; expected a value of 64 bits"],
    [['--satp', '0x8000000000081fcb', '--tcr', '1'], 'riscv64 has no register tcr'],
    [['--tcr', '1'], 'a root is not among tcr; one of cr3, ttbr1, ttbr0, satp is needed'],
    [['--ttbr0', '0', '--ttbr1', '0'], 'ttbr1 and ttbr0 are two roots; name one of them'],
    [['--ttbr1', '0'], 'TTBR1 does not say granule and size: give --tcr, or --format'],
    [['--cr3', '0x1000'], 'CR3 does not say the number of levels'],
    [['--scan', 'often'], "unknown value of --scan 'often'"],
    [['--va', '1-0'], '--va is'],
    [['--again', 'twice'], "unknown value of --again 'twice'"],
  ])('leaves FILE %j is refused with what to do', async (args, message) => {
    const { code, out, err } = await capture(['leaves', dumpOf(RISCV64), ...args]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });

  test('a root that looks like none is read, with a warning', async () => {
    const { code, err } = await capture(['stats', dumpOf(RISCV64), '--root', '0x827b9000']);
    expect(code).toBe(0);
    expect(err).toContain('warning: this root does not look like one of riscv64-sv39: ');
  });

  test('a format is named by its configuration, which its package exports', async () => {
    const { code, out } = await capture([
      'stats',
      dumpOf(ARM64),
      '--root',
      '0x41efe000',
      '--format',
      'arm64-4k-48-cont',
    ]);
    expect(code).toBe(0);
    expect(out).toContain('# arm64-4k-48, root 0x0000000041efe000, from the caller');
  });

  test('raw memory is read where --map says it is', async () => {
    const bytes = new Uint8Array(3 * 4096);
    const table = new DataView(bytes.buffer);
    // A root, a table of 1 GiB leaves, and a leaf of 4 KiB as a page of something.
    table.setBigUint64(0, 0x10_1003n, true);
    table.setBigUint64(4096, 0x4000_0083n, true);
    const file = fileOf('raw', bytes);
    const args = [
      'leaves',
      file,
      '--map',
      '0x100000:0:8192,0x200000:8192',
      '--cr3',
      '0x100000',
      '--format',
      'x86-64',
      '--json',
    ];
    const { code, out, err } = await capture(args);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      va: '0x0000000000000000',
      pa: '0x0000000040000000',
      leafBytes: '0x0000000040000000',
    });
    expect((await capture(['leaves', file, '--map', '0:0:1:2'])).err).toContain(
      "--map has '0:0:1:2'; expected PHYSICAL",
    );
    expect((await capture(['leaves', file, '--map', '0:12289'])).err).toContain('map[0]');
  });

  test('a dump that is cut is read as far as it goes, with a warning', async () => {
    const whole = join(temporary(), 'whole.ptimage');
    await capture(['export', dumpOf(X86), '--output', whole]);
    const bytes = readFileSync(whole);
    const cut = fileOf('cut.ptimage', bytes.subarray(0, Math.floor(bytes.length * 0.6)));
    const { code, out, err } = await capture([
      'leaves',
      cut,
      '--root',
      '0x2c22000',
      '--format',
      'x86-64',
      '--json',
    ]);
    expect(code).toBe(0);
    expect(err).toMatch(/^warning: the file is cut: \d+ bytes/);
    expect(out).toContain('"kind":"missing"');
    expect((await capture(['leaves', fileOf('head', bytes.subarray(0, 20))])).code).toBe(2);
  });
});
