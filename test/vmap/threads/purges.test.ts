import { refusal } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { type Member, teamOf } from './team.js';

const PAGE = 4096n;

function pair(): [Member, Member] {
  const { members } = teamOf('x86-64', 2, { cpus: 2 });
  return members as [Member, Member];
}

describe('a purge of one thread', () => {
  test('tells the sinks of all threads, before they get the addresses again', () => {
    const [one, two] = pair();
    const area = one.kernel.vmalloc(PAGE);
    one.kernel.vfree(area);
    one.kernel.vmUnmapAliases();
    expect(one.flushes).toEqual([{ va: area, bytes: 2n * PAGE }]);
    expect(two.flushes).toEqual([]);
    expect(two.kernel.vmalloc(PAGE)).toBe(area);
    expect(two.flushes).toEqual(one.flushes);
  });

  test('whose sink throws is replayed as one that threw, and the next one flushes everything', () => {
    const [one, two] = pair();
    const area = one.kernel.vmalloc(PAGE);
    one.kernel.vfree(area);
    one.throws = true;
    expect(() => one.kernel.vmUnmapAliases()).toThrow('the sink throws');
    one.throws = false;
    expect(two.kernel.vmallocinfo()).toBe(one.kernel.vmallocinfo());
    expect(two.kernel.vmallocinfo()).toMatch(/unpurged/);
    expect(two.flushes).toEqual([]);
    two.kernel.vmUnmapAliases();
    expect(two.flushes).toEqual([{ va: area, bytes: 2n * PAGE }]);
    expect(one.kernel.vmalloc(PAGE)).toBe(area);
    expect(one.flushes).toEqual(two.flushes);
  });

  test('whose sink throws in a request that finds no room is replayed, too', () => {
    const [one, two] = pair();
    one.kernel.vfree(one.kernel.vmalloc(PAGE));
    one.throws = true;
    expect(() => one.kernel.getVmArea(1n << 46n)).toThrow('the sink throws');
    one.throws = false;
    expect(refusal(() => two.kernel.getVmArea(1n << 46n)).code).toBe('ENOMEM');
    expect(one.kernel.vmallocinfo()).toBe('');
    expect(one.kernel.stats()).toEqual(two.kernel.stats());
  });

  test('reaches a sink of another thread that throws again, at its next call', () => {
    const [one, two] = pair();
    const area = one.kernel.vmalloc(PAGE);
    one.kernel.vfree(area);
    one.kernel.vmUnmapAliases();
    two.throws = true;
    expect(() => two.kernel.vmalloc(PAGE)).toThrow('the sink throws');
    expect(() => two.kernel.vmallocinfo()).toThrow('the sink throws');
    two.throws = false;
    expect(two.kernel.vmallocinfo()).toBe(one.kernel.vmallocinfo());
    expect(two.flushes).toEqual([{ va: area, bytes: 2n * PAGE }]);
    expect(one.kernel.vmalloc(PAGE)).toBe(area);
  });
});
