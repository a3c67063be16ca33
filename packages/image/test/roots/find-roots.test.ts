import { describe, expect, test } from 'vitest';
import { bytesSource, findProcesses, findRoots, openImage } from '../../src/index.js';
import {
  differences,
  dumpOf,
  formats,
  processRootsOf,
  releaseOf,
  rootOf,
  rowsOf,
  SETS,
  truthOf,
  vmcoreinfoAt,
} from '../support/dumps.js';
import { pagesOf } from '../support/same-memory.js';
import { elfOf } from '../support/writers/elf.js';
import { limeOf } from '../support/writers/others.js';

describe.each(SETS)('the roots of $name', ({ name, codecs }) => {
  const dump = openImage(bytesSource(dumpOf(name, codecs[0] as string)));
  const pages = pagesOf(dump);
  const isInfo = (address: number): boolean =>
    vmcoreinfoAt(name).some((at) => Math.abs(Number(at) - address) <= 4096);
  const bare = pages.filter(({ address }) => !isInfo(address));
  const kernel = rootOf(name, 'kernel');

  test('follow from VMCOREINFO, and are checked four times', () => {
    const { best, reasons } = findRoots(dump, { formats });
    expect(best).toMatchObject({ role: 'kernel', origin: 'vmcoreinfo', root: kernel, whyNot: null });
    const [shape, ...others] = best?.checks ?? [];
    expect(shape).toMatchObject({ name: 'shape', isPassed: name === 'riscv64-sv39' ? null : true });
    expect(others.map(({ name: check, isPassed }) => [check, isPassed])).toEqual(
      ['text', 'itself', 'utsname'].map((check) => [check, true]),
    );
    expect(best?.checks.at(-1)?.found).toContain(releaseOf(name));
    expect(reasons).toEqual([]);
    expect(best?.table && differences(rowsOf(best.table), truthOf(name, 'kernel'))).toEqual([]);
  });

  test('follow from VMCOREINFO in memory where the dump has no notes', () => {
    const { best, vmcoreinfo } = findRoots(openImage(bytesSource(limeOf(pages))), { formats });
    expect(best).toMatchObject({ role: 'kernel', origin: 'vmcoreinfo', root: kernel });
    expect(vmcoreinfo).toHaveLength(1);
    expect(vmcoreinfo[0]?.from).toBe(`memory at 0x${vmcoreinfoAt(name)[0].toString(16)}`);
  });

  test('follow from the note in memory where the text is gone', () => {
    const without = pages.filter(({ address }) => address !== Number(vmcoreinfoAt(name)[0]));
    const { best, vmcoreinfo } = findRoots(openImage(bytesSource(limeOf(without))), { formats });
    expect(best).toMatchObject({ origin: 'vmcoreinfo', root: kernel });
    expect(vmcoreinfo.map(({ from }) => from)).toEqual([
      `memory at 0x${(vmcoreinfoAt(name)[1] + 24n).toString(16)}`,
    ]);
  });

  test('are found by a scan where nothing says them', () => {
    const image = openImage(bytesSource(limeOf(bare)));
    const { best, candidates } = findRoots(image, { formats });
    expect(best).toMatchObject({ role: 'kernel', origin: 'scan', root: kernel });
    expect(candidates.filter(({ isBelieved }) => isBelieved)).toHaveLength(1);
    expect(best?.table && differences(rowsOf(best.table), truthOf(name, 'kernel'))).toEqual([]);
  });

  test('are not looked for where a scan is forbidden', () => {
    const image = openImage(bytesSource(elfOf(bare)));
    expect(findRoots(image, { formats, scan: 'never' })).toMatchObject({ best: null, candidates: [] });
  });

  test('of processes are all that share the kernel half, and no others', () => {
    const { best } = findRoots(dump, { formats });
    const found = best && findProcesses(dump, best);
    if (name === 'arm64-4k') expect(found).toBeNull();
    else expect(found?.map(({ root }) => root)).toEqual(processRootsOf(name));
    const users = found?.map(({ root, userRoot }) => userRoot && userRoot - root);
    if (name === 'x86-4level') expect(users).toEqual(processRootsOf(name).map(() => 4096n));
    if (name === 'riscv64-sv39') expect(users).toEqual(processRootsOf(name).map(() => null));
  });

  test('say which format the caller did not bring', () => {
    const { best, candidates } = findRoots(dump, { formats: {}, scan: 'never' });
    expect(best).toBeNull();
    expect(candidates[0]?.whyNot).toMatch(/`formats` has no member '/);
    expect(candidates[0]?.table).toBeNull();
  });
});
