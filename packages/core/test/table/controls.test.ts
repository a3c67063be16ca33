import { describe, expect, test } from 'vitest';
import { completeControls } from '../../src/check/controls.js';
import {
  dumpTables,
  FrameAllocator,
  PageTable,
  type PageTableFormat,
  PageTableReader,
  PhysicalMemory,
  protection,
  type ReadableTable,
} from '../../src/index.js';
import { arm64 } from '../formats/arm64.js';

interface Modes {
  readonly wp: boolean;
  readonly sealed: boolean;
}

const MODES: Modes = Object.freeze({ wp: true, sealed: false });
const plain = arm64({ granule: 4, vaBits: 48 });

/** A format with a mode in which the kernel writes everything, and one in which it may not read. */
const format = {
  ...plain,
  controls: MODES,
  permissions(path, controls) {
    const { wp, sealed } = completeControls(MODES, controls, 'modes');
    const { kernel, user } = plain.permissions(path, {});
    return { kernel: { ...kernel, write: kernel.write || !wp, read: kernel.read && !sealed }, user };
  },
} as PageTableFormat<Modes>;

const VA = 0xffff000000000000n;
const memory = PhysicalMemory.create({ bytes: 1 << 16 });
const frames = new FrameAllocator(memory);
const table = new PageTable({ format, memory, frames });
table.map(VA, [1], protection());

const open = (controls?: Partial<Modes>) =>
  new PageTableReader({ format, memory, root: table.root, ...(controls === undefined ? {} : { controls }) });
const kernel = (one: ReadableTable<Modes>, controls?: Partial<Modes>) => {
  const { read, write } = one.walk(VA, undefined, controls).permissions?.kernel ?? {};
  return `${read === true ? 'r' : '-'}${write === true ? 'w' : '-'}`;
};
const letters = (one: ReadableTable<Modes>, controls?: Partial<Modes>) =>
  dumpTables(one, controls === undefined ? {} : { controls }).match(/ ([r-][w-])[x-] k /)?.[1];

describe.each([
  ['walk', kernel],
  ['dump', letters],
])('%s', (_, ask) => {
  test('uses the controls of the format where none are given', () => {
    expect(ask(table)).toBe('r-');
    expect(ask(open({}))).toBe('r-');
  });

  test('uses what the table was opened or made with', () => {
    expect(ask(open({ wp: false }))).toBe('rw');
    expect(ask(new PageTable({ format, memory, root: table.root, frames, controls: { wp: false } }))).toBe(
      'rw',
    );
  });

  test('takes what it is given instead, and completes it from what the table was opened with', () => {
    expect(ask(open({ wp: false }), { wp: true })).toBe('r-');
    expect(ask(open({ wp: false }), { sealed: true })).toBe('-w');
    expect(ask(open({ wp: false }), MODES)).toBe('r-');
  });

  test('refuses names and values that the format does not know', () => {
    expect(() => ask(table, { WP: false } as never)).toThrow(
      'EINVAL: arm64-4k-48 has no control `WP`; did you mean `wp`?',
    );
    expect(() => ask(table, { wp: 0 } as never)).toThrow(
      'EINVAL: the control wp is 0, expected true or false',
    );
    expect(() => ask(table, null as never)).toThrow('EINVAL: the controls of arm64-4k-48 are null');
  });
});

describe('open', () => {
  test('refuses controls that the format does not know', () => {
    expect(() => open({ seal: true } as never)).toThrow(
      'EINVAL: arm64-4k-48 has no control `seal`; did you mean `sealed`?',
    );
  });

  test('keeps a copy: a later change of the object has no effect', () => {
    const controls = { wp: false };
    const opened = open(controls);
    controls.wp = true;
    expect(kernel(opened)).toBe('rw');
  });

  test('refuses options that it does not know', () => {
    expect(() => new PageTableReader({ format, memory, root: table.root, frame: frames } as never)).toThrow(
      'EINVAL: PageTableReader has no option `frame`; it has format, memory, root, controls',
    );
    expect(() => new PageTableReader(null as never)).toThrow(
      'EINVAL: the options of PageTableReader are null',
    );
  });
});
