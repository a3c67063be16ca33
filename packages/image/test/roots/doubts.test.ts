import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { bytesSource, findProcesses, findRoots, openImage } from '../../src/index.js';
import { dumpOf, formats, processRootsOf, rootOf } from '../support/dumps.js';
import { pagesOf } from '../support/same-memory.js';
import { Bytes } from '../support/writers/bytes.js';
import { elfOf } from '../support/writers/elf.js';
import { limeOf, ptimageOf } from '../support/writers/others.js';

const dump = openImage(bytesSource(dumpOf('x86-4level', 'zlib')));
const pages = pagesOf(dump);
const text = dump.vmcoreinfo?.text ?? '';
const file = bytesSource(limeOf(pages));

/** The first candidate with other lines in VMCOREINFO. */
function with_(change: (text: string) => string) {
  const image = openImage(file, { vmcoreinfo: change(text) });
  return findRoots(image, { formats, scan: 'never' });
}

describe('a root is not believed', () => {
  test('when VMCOREINFO is of another boot', () => {
    const { best, candidates } = with_((lines) => lines.replace(/phys_base\)=.*/, 'phys_base)=-299892736'));
    expect(best).toBeNull();
    expect(candidates[0]?.whyNot).toMatch(/it does not map _stext|the memory has no bytes at the root/);
  });

  test('when it maps the text elsewhere', () => {
    const { candidates } = with_((lines) => lines.replace(/_stext\)=.*/, '_stext)=ffffffff93e01000'));
    expect(candidates[0]?.isBelieved).toBe(true);
    const moved = with_((lines) => lines.replace(/_stext\)=.*/, '_stext)=ffffffff80001000'));
    expect(moved.candidates[0]?.whyNot).toContain('it does not map _stext at 0xffffffff80001000');
  });

  test('when the kernel has another release', () => {
    const { candidates } = with_((lines) => lines.replace(/OSRELEASE=.*/, 'OSRELEASE=5.10.0'));
    expect(candidates[0]?.whyNot).toBe('utsname has another release than VMCOREINFO says');
  });

  test('when VMCOREINFO lacks a key, and says which one', () => {
    const { reasons } = with_((lines) => lines.replace(/NUMBER\(phys_base\).*\n/, ''));
    expect(reasons).toEqual(['VMCOREINFO has no NUMBER(phys_base), in the caller']);
  });

  test('when its page is not in the dump, with the reason', () => {
    const root = Number(rootOf('x86-4level', 'kernel'));
    const without = pages.filter(({ address }) => address !== root);
    const image = openImage(bytesSource(elfOf(without, { leftOut: [{ address: root, bytes: 4096 }] })));
    const { candidates } = findRoots(image, { formats });
    // A table that was left out reads as zeros, so nothing is mapped.
    expect(candidates[0]).toMatchObject({ isBelieved: false, root: BigInt(root) });
    const nothing = openImage(bytesSource(limeOf(without)));
    expect(findRoots(nothing, { formats }).candidates[0]?.whyNot).toContain(
      'the memory has no bytes at the root',
    );
  });
});

describe('the registers of a processor', () => {
  const state = new Bytes()
    .u32(1, 440)
    .zeros(384)
    .u64(0x80050033, 0, 0x5f2c751000, 0x533d000, 0x750ef0, 0)
    .done();
  const notes = [{ name: 'QEMU', type: 0, data: state }];
  const target = rootOf('x86-4level', 'target');

  test("of QEMU give the process's roots, of the kernel and of user mode", () => {
    const image = openImage(bytesSource(elfOf(pages, { notes })), { vmcoreinfo: '' });
    expect(image.processors).toMatchObject([{ source: 'QEMU' }]);
    const { candidates } = findRoots(image, { formats, scan: 'never' });
    expect(candidates.map(({ role, root, isBelieved }) => [role, root, isBelieved])).toEqual([
      ['process', target, true],
      ['user', target + 4096n, true],
    ]);
    expect(candidates[0]?.controls).toMatchObject({ wp: true, smep: true, smap: true });
  });

  test('of VirtualBox do, too', () => {
    const core = new Bytes()
      .zeros(288)
      .u64(0x80050033, 0, Number(target), 0x750ef0)
      .zeros(168)
      .u64(0xd01)
      .done();
    const vbox = [{ name: 'VBCPU', type: 0xb01, data: core }];
    const image = openImage(bytesSource(elfOf(pages, { notes: vbox })), { vmcoreinfo: '' });
    expect(image.processors[0]?.registers.get('efer')).toBe(0xd01n);
    expect(findRoots(image, { formats, scan: 'never' }).best).toMatchObject({
      role: 'process',
      root: target,
    });
  });

  test('of a header do, and with paging off there is no root', () => {
    const registers = { cr0: '0x80050033', cr3: `0x${target.toString(16)}`, cr4: '0x750ef0' };
    const header = openImage(bytesSource(ptimageOf(pages, { registers })), { vmcoreinfo: '' });
    expect(findRoots(header, { formats, scan: 'never' }).best).toMatchObject({ root: target });
    const off = { ...registers, cr0: '0x11' };
    const real = openImage(bytesSource(ptimageOf(pages, { registers: off })), { vmcoreinfo: '' });
    expect(findRoots(real, { formats, scan: 'never' }).candidates).toEqual([]);
  });
});

describe('findRoots', () => {
  test('refuses options that it does not know', () => {
    expect(codeOf(() => findRoots(dump, { formats, scna: 'never' } as never))).toBe('EINVAL');
    expect(codeOf(() => findRoots(dump, { formats: null as never }))).toBe('EINVAL');
    expect(codeOf(() => findRoots(dump, { formats: { 'x86-64': 7 as never } }))).toBe('EINVAL');
    expect(codeOf(() => findRoots(dump, { formats, scan: 'maybe' as never }))).toBe('EINVAL');
  });
});

test('a root is not believed when it maps the text, but to another frame', () => {
  const { candidates } = with_((lines) => lines.replace(/_stext\)=.*/, '_stext)=ffff8d3f02c22000'));
  expect(candidates[0]?.whyNot).toMatch(
    /it maps _stext at 0xffff8d3f02c22000 to 0x0000000002c22000: expected/,
  );
});

test('a frame with the kernel half is no process when it maps nothing for user mode, or has an entry of its own', () => {
  const kernel = pages.find(({ address }) => BigInt(address) === rootOf('x86-4level', 'kernel'));
  const target = pages.find(({ address }) => BigInt(address) === rootOf('x86-4level', 'target'));
  const trampoline = (kernel?.bytes ?? new Uint8Array(4096)).slice();
  const entries = new BigUint64Array(trampoline.buffer);
  // As the kernel's root for starting processors: below its first entry is the direct map.
  entries[0] = entries.find((entry, slot) => slot >= 256 && entry !== 0n) ?? 0n;
  const other = (target?.bytes ?? new Uint8Array(4096)).slice();
  new BigUint64Array(other.buffer)[511] = 0x1234067n;
  const more = [...pages, { address: 0x9c000, bytes: trampoline }, { address: 0x9d000, bytes: other }];
  const image = openImage(bytesSource(limeOf(more)), { vmcoreinfo: text });
  const { best } = findRoots(image, { formats });
  const found = best && findProcesses(image, best);
  expect(found?.map(({ root }) => root)).toEqual(processRootsOf('x86-4level'));
});

test('a process may have tables of the kernel that the root lacks which it is compared with', () => {
  const [first, second] = processRootsOf('x86-4level');
  const address = Number(second);
  const page = (pages.find((one) => one.address === address)?.bytes ?? new Uint8Array(4096)).slice();
  const entries = new BigUint64Array(page.buffer);
  const free = entries.findIndex((entry, slot) => slot >= 300 && entry === 0n);
  const kernelEntry = entries.find((entry, slot) => slot >= 256 && entry !== 0n) ?? 0n;
  const withMore = (entry: bigint) => {
    entries[free] = entry;
    const others = pages.filter((one) => one.address !== address);
    const image = openImage(bytesSource(limeOf([...others, { address, bytes: page.slice() }])), {
      vmcoreinfo: text,
    });
    const { best } = findRoots(image, { formats });
    return best && findProcesses(image, best)?.map(({ root }) => root);
  };
  expect(withMore(kernelEntry)).toEqual(processRootsOf('x86-4level'));
  // A leaf, and a table behind the end of memory, are none that a kernel has there.
  for (const entry of [0xe7n, 0xffff_ffff_f067n])
    expect(withMore(entry)).toEqual(processRootsOf('x86-4level').filter((root) => root !== second));
  expect(first).not.toBe(second);
});

test("processes are told by a process's root as by the kernel's, and not by one of user mode", () => {
  const { candidates } = findRoots(dump, { formats });
  const [process, user] = ['process', 'user'].map((name) => candidates.find(({ role }) => role === name));
  expect(process && findProcesses(dump, process)?.map(({ root }) => root)).toEqual(
    processRootsOf('x86-4level'),
  );
  expect(() => user && findProcesses(dump, user)).toThrow('pass one of role kernel or process');
  expect([process?.role, user?.role]).toEqual(['process', 'user']);
});

test('a process whose tables the dump lacks is one nevertheless', () => {
  const [first] = processRootsOf('x86-4level');
  const root = pages.find(({ address }) => BigInt(address) === first);
  const own = [...new BigUint64Array((root?.bytes ?? new Uint8Array()).slice().buffer)].slice(0, 256);
  const tables = own.filter((entry) => entry !== 0n).map((entry) => entry & 0xffffffffff000n);
  expect(tables.length).toBeGreaterThan(0);
  const cut = pages.filter(({ address }) => !tables.includes(BigInt(address)));
  const image = openImage(bytesSource(limeOf(cut)), { vmcoreinfo: text });
  const { best } = findRoots(image, { formats });
  const found = best && findProcesses(image, best);
  expect(found?.map((one) => one.root)).toEqual(processRootsOf('x86-4level'));
});

test('of segments that overlap, the one with bytes counts', () => {
  const [page] = pages;
  const leftOut = [{ address: page?.address ?? 0, bytes: 4096 }];
  const image = openImage(bytesSource(elfOf(pages, { leftOut })));
  expect(image.stateOf(BigInt(page?.address ?? 0))).toBe('present');
});
