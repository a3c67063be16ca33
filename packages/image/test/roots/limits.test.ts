import { PageTableReader } from '@vmarea/core';
import { x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { bytesSource, findRoots, type Image, openImage } from '../../src/index.js';
import { checkRoot, imageCheck, verdict } from '../../src/roots/checks.js';
import { directMapOf } from '../../src/roots/direct-map.js';
import { FormatMaker } from '../../src/roots/formats.js';
import { machinesOf } from '../../src/roots/machines.js';
import type { MachineKind, Proposal } from '../../src/roots/proposal.js';
import { scanForKernel } from '../../src/roots/scan.js';
import { dumpOf, formats, rootOf } from '../support/dumps.js';

const dump = openImage(bytesSource(dumpOf('x86-4level', 'zlib')));
const root = rootOf('x86-4level', 'kernel');
const makers = new FormatMaker(formats);
const [x86] = machinesOf(62, [], null) as [MachineKind];

/** Raw memory of pages, each filled by a function. */
function rawOf(pages: number, fill: (page: Uint8Array, number: number) => void): Image {
  const file = new Uint8Array(pages * 4096);
  for (let i = 0; i < pages; i++) fill(file.subarray(i * 4096, (i + 1) * 4096), i);
  return openImage(bytesSource(file), { map: [{ address: 0n }] });
}

/** A text that no NUL ends. */
function write(page: Uint8Array, text: string): void {
  page.fill(0x20).set(new TextEncoder().encode(text));
}

describe('the search for VMCOREINFO', () => {
  test('ends after 16 different texts, and says so', () => {
    const image = rawOf(1000, (page, i) => write(page, `OSRELEASE=${i}\n`));
    const { vmcoreinfo, reasons } = findRoots(image, { formats: {} });
    expect(vmcoreinfo.map(({ from }) => from)).toEqual(
      Array.from({ length: 16 }, (_, i) => `memory at 0x${(i * 4096).toString(16)}`),
    );
    expect(vmcoreinfo.every(({ text }) => text.length === 65536)).toBe(true);
    expect(reasons[0]).toBe(
      'the search for VMCOREINFO ended at 0x10000, after 16 places with 16 different texts',
    );
  });

  test('ends after 256 places with the same text, and says so', () => {
    const image = rawOf(1000, (page) => write(page, 'OSRELEASE=6.1\n'));
    const { vmcoreinfo, reasons } = findRoots(image, { formats: {} });
    expect(vmcoreinfo).toHaveLength(1);
    expect(reasons[0]).toBe(
      'the search for VMCOREINFO ended at 0x100000, after 256 places with 1 different texts',
    );
  });
});

test('the progress of both looks through memory is told: for VMCOREINFO, and for tables', () => {
  const image = rawOf(4096, (page, i) => page.fill(i & 1 ? 0 : 3));
  const told: bigint[] = [];
  findRoots(image, { formats: {}, progress: (address) => void told.push(address) });
  const one = [4n, 8n, 12n, 16n].map((mebibytes) => mebibytes << 20n);
  expect(told).toEqual([...one, ...one]);
});

describe('a scan for tables', () => {
  const scan = (limits: { looks: number; roots: number }) =>
    scanForKernel(dump, [x86], makers, undefined, limits);
  const all = scan({ looks: 16384, roots: 16 });

  test('says nothing of limits that it does not come to', () => {
    expect(all.reasons).toEqual([]);
    expect(all.found.map(({ proposal }) => proposal.root)).toContain(root);
    expect(scan({ looks: 16384, roots: all.found.length + 1 }).reasons).toEqual([]);
  });

  test('says after how many frames it ended, and where', () => {
    const { found, reasons } = scan({ looks: 1, roots: 16 });
    expect(found.length).toBeLessThan(2);
    expect(reasons[0]).toMatch(
      /^the scan for x86-64\S* ended at 0x[\da-f]+, after 1 frames that may be tables$/,
    );
  });

  test('says after how many roots it ended, and where', () => {
    const { found, reasons } = scan({ looks: 16384, roots: 0 });
    expect(found).toEqual([]);
    expect(reasons).toEqual([
      expect.stringMatching(/^the scan ended at 0x[\da-f]+, after 0 tables that map themselves$/),
    ]);
  });
});

describe("a look at the kernel's image", () => {
  const table = new PageTableReader({ format: x8664() as never, memory: dump.memory, root });
  const direct = directMapOf(table, dump);

  test('decides nothing where it is cut short before it finds the root', () => {
    expect(imageCheck(table, x86.kernelImage, direct).isPassed).toBe(true);
    expect(imageCheck(table, x86.kernelImage, direct, 1)).toMatchObject({
      isPassed: null,
      found: "it is not in the kernel's image as far as that was looked at: 1 runs of leaves",
    });
  });

  test('that is cut short leaves a root of a scan without belief, with the reason', () => {
    const proposal: Proposal = {
      ...{ format: 'x86-64', options: {}, controls: {}, root, role: 'kernel', origin: 'scan' },
      ...{ from: 'a test', expected: [], vmcoreinfo: null },
    };
    const checks = checkRoot(proposal, table, dump, x86);
    expect(verdict(proposal, checks, true)).toBeNull();
    const cut = checks.map((check) =>
      check.name === 'image' ? imageCheck(table, x86.kernelImage, direct, 1) : check,
    );
    expect(verdict(proposal, cut, true)).toContain('as far as that was looked at');
  });
});
