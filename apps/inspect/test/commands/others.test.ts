import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesSource, openImage } from '@vmarea/image';
import { describe, expect, test } from 'vitest';
import { capture, rowsOf } from '../support/capture.js';
import {
  ARM64,
  asTruth,
  differences,
  dumpOf,
  merged,
  RISCV64,
  SETS,
  temporary,
  truthOf,
  X86,
} from '../support/dumps.js';

const cases = SETS.flatMap((set) => Object.keys(set.roots).map((root) => ({ set, root, name: set.name })));
let files = 0;
const newFile = (): string => join(temporary(), `new-${files++}`);

describe('info', () => {
  test('shows a dump and why its roots are believed', async () => {
    const { code, out, err } = await capture(['info', dumpOf(ARM64)]);
    expect(code).toBe(0);
    expect(err).toMatch(/^warning: \d+ pages were left out of the dump/);
    const lines = out.split('\n');
    expect(lines.slice(0, 6)).toEqual([
      'container   kdump',
      'machine     arm64',
      'page size   4K',
      'kernel      6.12.117+deb12-arm64',
      expect.stringMatching(/^VMCOREINFO {2}/),
      expect.stringMatching(/^memory {6}\d+[KMG] in \d+ range/),
    ]);
    expect(lines).toContain('1  0x0000000041efe000  kernel  arm64-4k-48  yes, used');
    expect(lines).toContain('   + the direct map maps the root itself at 0xffff000001efe000');
  });

  test('lets no text of the dump control the terminal', async () => {
    const file = dumpOf(X86);
    const said = newFile();
    const note = openImage(bytesSource(readFileSync(file))).vmcoreinfo?.text ?? '';
    // The release is read from the kernel's entry PUD[510], 0x0000000002c28063, by the direct map.
    const address = (0xffff8d3f02c27ff0n - 130n).toString(16);
    const lines = `OSRELEASE=c\x80\xc2\x02\nSYMBOL(init_uts_ns)=${address}\nOFFSET(uts_namespace.name)=0\n`;
    writeFileSync(said, `${note}\n${lines}`, 'latin1');
    const { out } = await capture(['info', file, '--vmcoreinfo', said]);
    expect(out).toContain('utsname has the release c\\u{80}Â\\u{2}');
    expect(out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });

  test.each(SETS)('prints one document of JSON for $name', async (set) => {
    const { out } = await capture(['info', dumpOf(set), '--json']);
    const shown = JSON.parse(out);
    expect(shown.container).toEqual({ kind: 'kdump', isFlattened: false, files: 1 });
    expect(shown.best).toBe(1);
    expect(shown.roots[0]).toMatchObject({ number: 1, role: 'kernel', isBelieved: true, whyNot: null });
    expect(set.name.startsWith(shown.machine.name.split('-')[0])).toBe(true);
  });
});

describe('walk', () => {
  test('shows each entry with the names of its bits, and the rights so far', async () => {
    const { out } = await capture(['walk', dumpOf(X86), 'ffffffff93e00000']);
    const lines = out.split('\n');
    expect(lines[2]).toBe('0xffffffff93e00000  kernel text');
    // The PUD takes the user's rights, the leaf the right to write.
    expect(lines.filter((line) => line.startsWith('  P'))).toEqual([
      '  PGD[511] at 0x0000000002c22ff8: 0x0000000002c27067 table; kernel rwx, user rwx',
      '  PUD[510] at 0x0000000002c27ff0: 0x0000000002c28063 table; kernel rwx, user ---',
      '  PMD[159] at 0x0000000002c284f8: 0x00000000010000a1 leaf; kernel r-x, user ---',
    ]);
    expect(lines).toContain('          1  R/W          0x0  read-only');
    expect(out).toContain('-> 0x0000000001000000, in a leaf of 2M at 0x0000000001000000, normal');
  });

  test.each([
    [X86, '1234', 'fault: not-present at PGD, #PF 0x0'],
    [ARM64, 'ffff000000000000', '-> 0x0000000040000000'],
    [ARM64, '1234', 'fault: address at PGD, FSC 0x4'],
    [RISCV64, '1234', 'fault: not-present at PGD, scause 0xd'],
  ])('ends in a translation or in a fault with its code', async (set, va, text) => {
    expect((await capture(['walk', dumpOf(set), va])).out).toContain(text);
  });

  test('judges an access', async () => {
    const args = ['walk', dumpOf(X86), 'ffffffff93e00000', '--json', '--access', 'write'];
    expect(JSON.parse((await capture(args)).out).fault).toEqual({
      kind: 'permission',
      level: 'PMD',
      code: { name: '#PF', code: 3 },
    });
    expect((await capture([...args, '--user'])).out).toContain('"code":7');
    const { code, err } = await capture(['walk', dumpOf(X86), '0', '--user']);
    expect([code, err]).toEqual([
      2,
      expect.stringContaining('--user says whose the access is: give --access too'),
    ]);
  });
});

describe('translate', () => {
  test.each(cases)(
    'translates pages of the root $root of $name as another program does',
    async ({ set, root }) => {
      const truth = truthOf(set, root).filter((_, i) => i % 7 === 0);
      const asked = truth.map(({ va, size }) => va + size - 1n);
      const stdin = asked.map((va) => `0x${va.toString(16)}`).join('\n');
      const { out, err } = await capture(['translate', dumpOf(set), ...(set.roots[root] ?? [])], { stdin });
      const text = (value: bigint): string => `0x${value.toString(16).padStart(16, '0')}`;
      const names = new Map([
        [0x1000n, '4K'],
        [0x200000n, '2M'],
        [0x40000000n, '1G'],
      ]);
      const expected = truth.map(
        ({ pa, size }, i) => `${text(asked[i] ?? 0n)}  ${text(pa + size - 1n)}  ${names.get(size)}`,
      );
      expect(differences(out.trimEnd().split('\n'), expected)).toEqual([]);
      expect(err).toContain(
        `${truth.length.toLocaleString('en-US')} of ${truth.length.toLocaleString('en-US')} addresses`,
      );
    },
  );

  test('takes arguments and files, and prints JSON lines', async () => {
    const file = dumpOf(RISCV64);
    const from = newFile();
    writeFileSync(from, 'ffffffff80002abc, 0\n');
    const rows = [
      { va: '0xffffffff80002abc', pa: '0x0000000080202abc', leafBytes: '0x0000000000200000' },
      { va: '0x0000000000000000', pa: null, leafBytes: null },
    ];
    expect(await rowsOf(['translate', file, '0xFFFFFFFF80002abc', '0'])).toEqual(rows);
    expect(await rowsOf(['translate', file, '--from', from])).toEqual(rows);
  });

  test('names the line of a word that is no address', async () => {
    const { code, out, err } = await capture(['translate', dumpOf(RISCV64)], { stdin: '0\n 0x1 0xg\n' });
    expect(code).toBe(2);
    // What came before is translated.
    expect(out.split('\n').length).toBe(3);
    expect(err).toContain('standard input, line 2: "0xg" begins no address');
  });
});

describe('diff', () => {
  test('is silent for a dump and itself', async () => {
    const file = dumpOf(ARM64);
    const { code, out, err } = await capture(['diff', file, file, '--json']);
    expect([code, out]).toEqual([0, '']);
    expect(err).toContain('no difference');
  });

  test('shows what a process has beside the kernel', async () => {
    const rows = await rowsOf(['diff', dumpOf(RISCV64), '--other-root', '0x830da000']);
    const user = truthOf(RISCV64, 'target').filter(({ va }) => va < 1n << 63n);
    const bytes = user.reduce((sum, { count, size }) => sum + BigInt(count) * size, 0n);
    expect(rows.every(({ kind, region }) => kind === 'only-there' && region === 'user')).toBe(true);
    expect(rows.reduce((sum, row) => sum + BigInt(row.bytes as string), 0n)).toBe(bytes);
  });

  test.each([
    ['--root', 'process'],
    ['--cr3', '0x533c000'],
    ['--root', '0x545e000', '--format', 'x86-64'],
  ])('compares the same root of two dumps', async (...named) => {
    const file = dumpOf(X86);
    const { code, out, err } = await capture(['diff', file, file, ...named, '--json']);
    expect(err).toContain('no difference');
    expect([code, out]).toEqual([0, '']);
  });

  test('compares another root of the other dump where it is asked to', async () => {
    const file = dumpOf(RISCV64);
    const named = ['--satp', '0x80000000000830da', '--other-root', 'kernel'];
    const rows = await rowsOf(['diff', file, file, ...named]);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows).toEqual(await rowsOf(['diff', file, ...named]));
  });

  test('shows pages whose rights only the tables above change', async () => {
    // The kernel's root of a process has XD in its PGD entries of user mode (PTI), the root of user mode has not.
    const range = ['--va', '400000-4fffff'];
    const roots = { here: '0x533c000', there: '0x533d000' };
    const rows = await rowsOf([
      'diff',
      dumpOf(X86),
      '--root',
      roots.here,
      '--other-root',
      roots.there,
      ...range,
    ]);
    const code = truthOf(X86, 'target').filter(({ va, flags }) => va >> 20n === 4n && flags >> 63n === 0n);
    const bytes = code.reduce((sum, { count, size }) => sum + BigInt(count) * size, 0n);
    expect(bytes).toBeGreaterThan(0n);
    expect(rows.reduce((sum, row) => sum + BigInt(row.bytes as string), 0n)).toBe(bytes);
    for (const { kind, here, there } of rows) {
      expect(kind).toBe('protection');
      expect(here).toMatchObject({ rights: { execute: false, user: true }, protection: { execute: true } });
      expect(there).toMatchObject({ rights: { execute: true, user: true }, protection: { execute: true } });
    }
  });

  test('marks each side', async () => {
    const { out } = await capture([
      'diff',
      dumpOf(RISCV64),
      '--root',
      '0x830da000',
      '--other-root',
      'kernel',
    ]);
    const [here, there, first] = out.split('\n');
    expect(here).toMatch(/^- # riscv64-sv39, root 0x00000000830da000/);
    expect(there).toMatch(/^\+ # riscv64-sv39, root 0x0000000081fcb000/);
    expect(first).toBe('- 0x0000000000010000-0x0000000000010fff        4K  r-x u 0x000000008420f000  user');
  });
});

describe('stats', () => {
  test.each(cases)('counts the leaves of the root $root of $name', async ({ set, root }) => {
    const { out } = await capture(['stats', dumpOf(set), ...(set.roots[root] ?? []), '--json']);
    const { leaves, mappedBytes, sizes, tableBytes, tables } = JSON.parse(out);
    const truth = truthOf(set, root);
    expect(leaves).toBe(truth.reduce((sum, { count }) => sum + count, 0));
    expect(BigInt(mappedBytes)).toBe(truth.reduce((sum, { count, size }) => sum + BigInt(count) * size, 0n));
    for (const one of sizes)
      expect(one.leaves).toBe(
        truth.reduce((sum, { count, size }) => sum + (size === BigInt(one.leafBytes) ? count : 0), 0),
      );
    const all = tables.reduce((sum: number, one: { tables: number }) => sum + one.tables, 0);
    // A table that stands for several levels has one frame.
    expect(BigInt(tableBytes) <= BigInt(all) * 4096n).toBe(true);
    expect(tables[0]).toEqual({ level: 'PGD', tables: 1, missing: 0 });
  });

  test('counts frames that several leaves map, and those that are writable here and executable there', async () => {
    const { out } = await capture(['stats', dumpOf(RISCV64), ...(RISCV64.roots.target ?? []), '--json']);
    const frames = new Map<bigint, { times: number; bits: bigint }>();
    for (const { pa, count, size, flags } of truthOf(RISCV64, 'target')) {
      for (let at = pa; at < pa + BigInt(count) * size; at += 4096n) {
        const known = frames.get(at) ?? { times: 0, bits: 0n };
        frames.set(at, { times: known.times + 1, bits: known.bits | (flags & 12n) });
      }
    }
    // Devices are not in the dump.
    const ram = [...frames].filter(([pa]) => pa >= 0x80000000n && pa < 0x88000000n).map(([, known]) => known);
    expect(JSON.parse(out).frames).toEqual({
      mapped: ram.length,
      several: ram.filter(({ times }) => times > 1).length,
      writableAndExecutable: ram.filter(({ bits }) => bits === 12n).length,
      isComplete: true,
    });
  });
});

describe('processes', () => {
  test('finds the roots of all processes without symbols', async () => {
    const rows = await rowsOf(['processes', dumpOf(X86)]);
    expect(rows.map(({ root, userRoot }) => [root, userRoot])).toEqual(
      [0x533cn, 0x537en, 0x545en, 0x5460n].map((pfn) =>
        [pfn, pfn + 1n].map((one) => `0x${(one << 12n).toString(16).padStart(16, '0')}`),
      ),
    );
    const target = truthOf(X86, 'target').filter(({ va }) => va < 1n << 47n);
    expect(BigInt(rows[0]?.userBytes as string)).toBe(
      target
        .filter(({ flags }) => (flags & 4n) !== 0n)
        .reduce((sum, { count, size }) => sum + BigInt(count) * size, 0n),
    );
    expect(rows[0]?.lowest).toBe('0x0000000000400000');
  });

  test('finds as many by the root of a process, where nothing says the root of the kernel', async () => {
    const file = dumpOf(X86);
    const nothing = newFile();
    writeFileSync(nothing, '');
    const args = ['processes', file, '--vmcoreinfo', nothing, '--scan', 'never'];
    expect(await rowsOf(args)).toEqual(await rowsOf(['processes', file]));
  });

  test('says why it finds none on arm64, and what to do', async () => {
    const { code, err } = await capture(['processes', dumpOf(ARM64)]);
    expect(code).toBe(2);
    expect(err).toContain('name it by a register (TTBR0)');
  });
});

describe('export', () => {
  test.each(cases)(
    'writes the tables of the root $root of $name, which list the same',
    async ({ set, root }) => {
      const output = newFile();
      const { code, out } = await capture([
        'export',
        dumpOf(set),
        ...(set.roots[root] ?? []),
        '--output',
        output,
        '--json',
      ]);
      expect(code).toBe(0);
      const result = JSON.parse(out);
      expect(result.bytes).toBe(statSync(output).size);
      const named = result.opensItself
        ? []
        : ['--root', `0x${BigInt(result.root).toString(16)}`, '--format', result.format];
      const rows = await rowsOf(['leaves', output, ...named]);
      expect(differences(asTruth(rows), merged(truthOf(set, root)))).toEqual([]);
    },
  );

  test('does not write over a file', async () => {
    const output = newFile();
    writeFileSync(output, 'mine');
    const { code, err } = await capture(['export', dumpOf(X86), '--output', output]);
    expect(code).toBe(2);
    expect(err).toContain('it exists already; remove it, or name another with --output');
    expect(readFileSync(output, 'utf8')).toBe('mine');
  });
});

describe('a warning about a root', () => {
  test('says that a process stands in for a kernel whose root the dump lost', async () => {
    const [file, said] = [newFile(), newFile()];
    // The tables of a process do not have the root of the kernel.
    await capture(['export', dumpOf(X86), '--root', 'process', '--output', file]);
    writeFileSync(said, openImage(bytesSource(readFileSync(dumpOf(X86)))).vmcoreinfo?.text ?? '', 'latin1');
    const args = ['walk', file, '0', '--vmcoreinfo', said];
    const { code, err } = await capture(args);
    expect(code).toBe(0);
    expect(err).toMatch(
      /^warning: this root is one of a process: that of the kernel, 0x0000000002c22000, is not believed: EFAULT/,
    );
    expect((await capture([...args, '--root', 'process'])).err).toBe('');
  });

  test('does not speak of what the believed root has, too', async () => {
    const walk = (root: string) => capture(['walk', dumpOf(RISCV64), '0', '--root', root]);
    expect((await walk('0x830da000')).err).not.toContain('this root');
    // A table of the last level is no root.
    const [row] = await rowsOf(['walk', dumpOf(RISCV64), '10000', '--root', '0x830da000']);
    const { entries } = row as unknown as { entries: { address: string }[] };
    const last = BigInt(entries.at(-1)?.address ?? 0) & ~0xfffn;
    expect((await walk(`0x${last.toString(16)}`)).err).toContain(
      'this root does not look like one of riscv64-sv39',
    );
  });
});
