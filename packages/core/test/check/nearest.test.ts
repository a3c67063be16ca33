import { expect, test } from 'vitest';
import { nearest } from '../../src/check/nearest.js';

const MODES = ['wp', 'pge', 'smep', 'smap', 'ac', 'pke', 'pkru', 'pks', 'pkrs'];

test.each([
  ['SMAP', MODES, 'smap'],
  ['smal', MODES, 'smap'],
  ['pkrsx', MODES, 'pkrs'],
  ['sumo', ['sum', 'mxr', 'adue'], 'sum'],
  ['tcr_el1', ['sctlr', 'tcr', 'tcr2'], 'tcr'],
  ['tcr2_el1', ['sctlr', 'tcr', 'tcr2'], 'tcr2'],
  ['maxLeafShfit', ['maxLeafShift', 'maxRunShift'], 'maxLeafShift'],
  ['max', ['maxLeafShift', 'maxRunShift'], 'maxRunShift'],
  ['gaurdPagez', ['guardPages'], 'guardPages'],
])('%s among %o is most likely %s', (name, names, expected) => {
  expect(nearest(name, names)).toBe(expected);
});

test.each(['', 'x', 'xyz', 'colour', 'a'.repeat(41)])('nothing is near to %s', (name) => {
  expect(nearest(name, [...MODES, 'maxLeafShift'])).toBeUndefined();
});

test('among equals the first is taken', () => {
  expect(nearest('pkr', ['pke', 'pks'])).toBe('pke');
});
