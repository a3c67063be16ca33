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
  ['wriet', ['read', 'write', 'execute'], 'write'],
  ['gaurdPagez', ['guardPages'], 'guardPages'],
])('the nearest name to %s among %o is %s', (name, names, expected) => {
  expect(nearest(name, names)).toBe(expected);
});

test.each(['', 'x', 'xyz', 'colour', 'a'.repeat(41)])('no name is near to "%s"', (name) => {
  expect(nearest(name, [...MODES, 'maxLeafShift'])).toBeUndefined();
});

test('the first of equally near names is taken', () => {
  expect(nearest('pkr', ['pke', 'pks'])).toBe('pke');
});
