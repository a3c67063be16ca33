import { type AddressSpace, RegionObject, type RegionOperations, registerRegionKind } from '@vmarea/core';

/** A device whose pages processes map: its frames belong to the first thread, which has a reference of each. */
export interface Device {
  readonly object: RegionObject;
  readonly operations: RegionOperations;
}

/** Makes this thread's part of the device, known by its number. */
export function deviceOf(kernel: AddressSpace, kind: number, pages: readonly number[]): Device {
  const known = devices.get(kernel);
  if (known !== undefined) return known;
  const object = new RegionObject({ name: '/dev/stress' });
  const operations: RegionOperations = {
    fault(fault) {
      fault.mapFrame(pages[fault.pgoff] as number);
      return 'mapped';
    },
  };
  if (kernel.threads === null) throw new Error('the kernel is for one thread');
  registerRegionKind(kernel.threads, kind, { object, operations });
  devices.set(kernel, { object, operations });
  return { object, operations };
}

const devices: WeakMap<AddressSpace, Device> = new WeakMap();
