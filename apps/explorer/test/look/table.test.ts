import { completeControls } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { TABLE_FILES } from '../../build/bundled-tables.js';
import { viewBeside } from '../../src/look/beside.js';
import { KINDS, MARKS } from '../../src/look/calls.js';
import { CONFIGURATIONS } from '../../src/look/formats.js';
import { rangesAt } from '../../src/look/range-at.js';
import { ACCESSES, viewWalk } from '../../src/look/walk-view.js';
import { canonical } from '../../src/page/walk/address-parts.js';
import { openBundled } from './open-bundled.js';

describe.each(Object.keys(TABLE_FILES))('the tables of %s', (name) => {
  test('are drawn as walks see them: kind, entry, rights', async () => {
    const dump = await openBundled(name);
    const root = dump.choose({ number: 1 }, CONFIGURATIONS);
    const { table, controls } = dump.chosen.chosen;
    const all = completeControls(table.format.controls, controls, table.format.name);
    for (let level = 0; level < root.levels.length; level++) {
      const view = dump.table(root.first, level);
      if (view.level !== level) continue;
      const { shift = 0, bits = 0 } = root.levels[level] ?? {};
      expect(view.entries.length).toBe(2 ** bits);
      expect(view.va <= root.first && root.first < view.va + (1n << BigInt(shift + bits))).toBe(true);
      for (const i of view.entries.keys()) {
        const va = canonical(root.bits, root.upper, view.va + (BigInt(i) << BigInt(shift)));
        const { steps, permissions, leaf, fault } = table.walk(va, undefined, all);
        const step = steps[level];
        expect(step?.entry).toBe(view.entries[i]);
        const kind = KINDS[view.kinds[i] ?? 0];
        expect(kind === 'missing' ? 'table' : kind).toBe(step?.kind);
        if (kind === 'missing') expect(fault?.kind).toBe('external');
        if (kind !== 'leaf' || permissions === null) continue;
        const mark = view.marks[i] ?? 0;
        const allowed = leaf?.protection.user === true ? permissions.user : permissions.kernel;
        expect([mark & MARKS.read, mark & MARKS.write, mark & MARKS.execute].map(Boolean)).toEqual([
          allowed.read,
          allowed.write,
          allowed.execute,
        ]);
        expect((mark & MARKS.user) !== 0).toBe(leaf?.protection.user);
      }
    }
  });

  test('are judged by a processor as by a walk', async () => {
    const dump = await openBundled(name);
    dump.choose({ number: 1 }, CONFIGURATIONS);
    const { rows } = await dump.list({}, () => {});
    const { chosen, layout } = dump.chosen;
    const { memory } = dump.image;
    const before = dump.table(chosen.table.leaves().next().value?.va ?? 0n, 3).entries.slice();
    for (const { va } of rangesAt(rows, 0, 12))
      for (const access of ACCESSES) {
        const view = viewWalk(memory, chosen.table, va, {
          regions: layout.regions,
          access,
          controls: chosen.controls,
        });
        const verdict = view.verdicts.find((one) => one.access === access);
        expect(view.processor.fault).toEqual(verdict?.fault);
        expect(view.processor.pa).toBe(view.processor.fault === null ? view.row.pa : null);
      }
    // The processor sets accessed and dirty in a copy.
    expect(dump.table(chosen.table.leaves().next().value?.va ?? 0n, 3).entries).toEqual(before);
  });

  test('are mapped in other formats, with the same frames and rights', async () => {
    const dump = await openBundled(name);
    const { first } = dump.choose({ number: 1 }, CONFIGURATIONS);
    const { table } = dump.chosen.chosen;
    const { pa, permissions } = table.walk(first);
    let shown = 0;
    for (const configuration of CONFIGURATIONS) {
      if (configuration.format.pageShift > table.format.pageShift) continue;
      const beside = viewBeside(table, first, { kind: 'read', user: false }, configuration);
      expect(beside.walk.row.pa).toBe(pa);
      expect(beside.walk.permissions?.kernel.write).toBe(permissions?.kernel.write);
      expect(beside.walk.permissions?.kernel.execute).toBe(permissions?.kernel.execute);
      expect(beside.tables).toBeGreaterThanOrEqual(beside.walk.tables.length);
      shown++;
    }
    expect(shown).toBeGreaterThan(5);
  });
});

test('what is mapped nowhere is shown in no other format', async () => {
  const dump = await openBundled('x86-64.kdump.gz');
  dump.choose({ number: 1 }, CONFIGURATIONS);
  const { table } = dump.chosen.chosen;
  const [configuration] = CONFIGURATIONS;
  if (configuration === undefined) throw new Error('there is no format');
  expect(() => viewBeside(table, 0x1000n, { kind: 'read', user: false }, configuration)).toThrow(/^EFAULT/);
});
