import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Case, readCase, writeCase } from '../../src/mmu/case-file.js';

const CASE: Case = {
  configuration: 'x86-64',
  settings: { nxe: true, pkru: 5, half: 'ttbr1' },
  root: 0x2000000n,
  entries: new Map([
    [0x2000800n, 0x2001067n],
    [0x2001008n, 0x8000000000000163n],
  ]),
  jobs: [{ va: 0xffff800000001000n, mask: 0b1000010001 }],
  from: { qemu: '10.0.2', seed: 1, batch: 7, tables: 'random', planted: 'D & A', alone: true },
  differences: ['one', 'other'],
};

const folder = mkdtempSync(join(tmpdir(), 'vmarea-cases-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a case file', () => {
  it('contains everything that was written', () => {
    const path = writeCase(join(mkdtempSync(join(folder, 'case-')), 'new'), CASE);
    expect(path).toMatch(/x86-64-1-7-ffff800000001000-D-A\.json$/);
    expect(readCase(path)).toEqual(CASE);
    expect(JSON.parse(readFileSync(path, 'utf8')).jobs).toEqual([
      { address: '0xffff800000001000', accesses: ['kernel read', 'user write', 'user write, probed'] },
    ]);
  });

  it.each([
    ['{', 'it is not JSON'],
    ['{}', 'is not a case file: kind'],
    [{ kind: 'other' }, 'is not a case file: kind'],
    [{ root: '12' }, 'is not a case file: root: expected a hexadecimal number of 64 bits'],
    [{ entries: { x: '0x1' } }, 'is not a case file: entries'],
    [{ jobs: [] }, 'is not a case file: jobs'],
    [{ jobs: [{ address: '0x0', accesses: ['kernel wave'] }] }, 'is not a case file: jobs.0.accesses.0'],
  ])('is refused with %j', (change, message) => {
    const path = writeCase(mkdtempSync(join(folder, 'case-')), CASE);
    const text =
      typeof change === 'string'
        ? change
        : JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change });
    writeFileSync(path, text);
    expect(() => readCase(path)).toThrow(message);
  });

  it('is refused if it does not exist', () => {
    expect(() => readCase(join(mkdtempSync(join(folder, 'case-')), 'none.json'))).toThrow(
      'none.json: there is no such file',
    );
  });
});
