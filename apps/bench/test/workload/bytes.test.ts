import { CheckError, choose } from '@vmarea/cli';
import { AddressSpace, type Configuration } from '@vmarea/core';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { installedFormats } from '../../src/formats.js';
import { type Bed, bedOf } from '../../src/workload/bed.js';
import { parametersOf } from '../../src/workload/parameters.js';
import { Run } from '../../src/workload/run.js';
import { capture } from '../support/capture.js';

let configuration: Configuration;

beforeAll(async () => {
  [configuration] = choose(await installedFormats('/'), 'x86-64') as [Configuration];
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** A kernel whose pages have bytes or not. */
function runOn(ram: 'ram' | 'blindRam', frames = 4): { bed: Bed; run: Run } {
  const bed = bedOf(configuration, frames, frames);
  return { bed, run: new Run(bed, bed[ram], parametersOf({})) };
}

describe('a page of a case', () => {
  it('keeps a stored byte in the memory that the tables point to', () => {
    const { bed, run } = runOn('ram');
    const address = run.vmalloc(2);
    run.store(address + 4100n, 0x42);
    expect(run.load(address + 4100n)).toBe(0x42);
    expect(bed.bytes[run.kernel.vmallocToPfn(address + 4096n) * 4096 + 4]).toBe(0x42);
  });

  it('is an error without bytes, when written and when read', () => {
    const { bed, run } = runOn('blindRam');
    const address = run.vmalloc(1);
    const before = bed.bytes.length;
    const message = /^x86-64: .* frame 0x[0-9a-f]+ has no bytes$/;
    expect(() => run.store(address, 1)).toThrow(CheckError);
    expect(() => run.store(address, 1)).toThrow(message);
    expect(() => run.load(address + 4095n)).toThrow(message);
    expect(bed.bytes.length).toBe(before);
  });

  it('cannot be zeroed without bytes', () => {
    const { run } = runOn('blindRam');
    expect(() => run.vmalloc(1, { zero: true })).toThrow(/has no bytes$/);
  });

  it('is an error if it was not zeroed', () => {
    const { run } = runOn('ram');
    run.vfree(run.vmalloc(3, { zero: true }));
    const { vmallocNodeRange } = AddressSpace.prototype;
    vi.spyOn(AddressSpace.prototype, 'vmallocNodeRange').mockImplementation(function (
      this: AddressSpace,
      request,
    ) {
      return vmallocNodeRange.call(this, { ...request, zero: false });
    });
    expect(() => run.vmalloc(3, { zero: true })).toThrow(/^x86-64: the page at 0x[0-9a-f]+ was not zeroed$/);
  });

  it('has bytes in every case that stores, whatever ran before', async () => {
    const { store } = Run.prototype;
    let stores = 0;
    vi.spyOn(Run.prototype, 'store').mockImplementation(function (this: Run, address, value) {
      store.call(this, address, value);
      if (this.load(address) === value) stores++;
    });
    // In this order, the second case once got frames without bytes.
    const args = ['pcpu_alloc_test,vrealloc_test', '--sequential-test-order', '--test-loop-count', '20'];
    const { code } = await capture(['workload', ...args, '--format', 'x86-64']);
    expect(code).toBe(0);
    expect(stores).toBe(20);
  });
});
