import { describe, expect, test } from 'vitest';
import { configurations } from '../src/index.js';

describe('a configuration', () => {
  test.each(configurations.map((one) => [one.name, one] as const))(
    '%s has the half of a process, with the same levels and runs as that of the kernel',
    (_name, { format, userFormat }) => {
      expect(userFormat?.range).toEqual({ bits: format.range.bits, upper: 'zeros' });
      expect(format.range.upper).toBe('ones');
      expect(userFormat?.levels).toEqual(format.levels);
      expect(userFormat?.pageShift).toBe(format.pageShift);
      expect(userFormat?.paBits).toBe(format.paBits);
    },
  );
});
