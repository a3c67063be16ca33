import { UsageError } from '@vmarea/cli';
import { functionOf } from '@vmarea/compare';
import { describe, expect, it } from 'vitest';
import { readVmallocinfo } from '../../src/input/vmallocinfo.js';

const RANGE = '0xffffcd6580005000-0xffffcd6580007000    8192';

describe('the text of /proc/vmallocinfo', () => {
  it('is refused when it is something else', () => {
    const read = (): unknown => readVmallocinfo(`${RANGE}\n0x1\n`, 'areas.txt');
    expect(read).toThrow(UsageError);
    expect(read).toThrow(/^areas\.txt:2:4: expected '-'/);
  });

  it.each([
    [' foo.isra.0+0x66/0xa0 [zram 0123abcd] vmalloc', 'foo.isra.0'],
    [' foo+0x1/0x2 vmap', 'foo'],
    [' 0xffffffffc0a0b0c1 vmalloc', '0xffffffffc0a0b0c1'],
    [' vmalloc', ''],
  ])('%j: the function that asked', (rest, name) => {
    expect(readVmallocinfo(RANGE + rest, 'f').map(functionOf)).toEqual([name]);
  });
});
