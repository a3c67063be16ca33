import { VmError } from '../errors.js';
import type { ThreadCalls } from '../threads/thread-calls.js';
import type { NumberedKind } from './process-list.js';
import { RegionObject } from './region-object.js';
import type { MappedObject, RegionOperations } from './region-operations.js';

/** The kinds of regions that a thread knows. */
export class RegionKinds {
  /** Grows when one is added. */
  version = 0;
  readonly #byNumber: Map<number, NumberedKind> = new Map();

  static of(threads: ThreadCalls): RegionKinds {
    let kinds = byThreads.get(threads);
    if (kinds === undefined) {
      kinds = new this();
      byThreads.set(threads, kinds);
    }
    return kinds;
  }

  add(kind: NumberedKind): void {
    this.#byNumber.set(kind.number, kind);
    this.version++;
  }

  find(number: number): NumberedKind | undefined {
    return this.#byNumber.get(number);
  }

  /** The number of an object with its operations; 0 for none. */
  numberOf(object: MappedObject | null, operations: RegionOperations | null): number {
    for (const kind of this.#byNumber.values())
      if (kind.object === object && kind.operations === operations) return kind.number;
    return 0;
  }
}

const byThreads: WeakMap<ThreadCalls, RegionKinds> = new WeakMap();

/**
 * Makes an object and operations known by a number, so that regions of processes that threads share may have them. Each thread that
 * uses such a process registers its own pair by the same number. A thread without it is refused calls on these regions.
 *
 * @param threads - `AddressSpace.threads` of the kernel.
 * @param number - the same in all threads: `ThreadCalls.numberOf` of something that all of them have.
 * @param kind - what `mmap` is given in this thread. Without an object, regions have none.
 * @throws VmError `EINVAL` for a number that is none, that another pair has, or for an object that is no `RegionObject`.
 * @example
 * ```ts
 * const number = threads.numberOf(device);
 * registerRegionKind(threads, number, { object, operations });
 * process.mmap({ length: 4096, read: true, shared: true, object, operations });
 * ```
 */
export function registerRegionKind(
  threads: ThreadCalls,
  number: number,
  kind: { readonly object?: RegionObject; readonly operations: RegionOperations },
): void {
  if (!Number.isInteger(number) || number < 1 || number > 2 ** 31 - 1)
    throw new VmError('EINVAL', `${String(number)} is not the number of a kind of regions`, {
      advice: 'pass what numberOf() of the threads returned',
    });
  const { object = null, operations } = kind;
  if ((object !== null && !(object instanceof RegionObject)) || typeof operations?.fault !== 'function')
    throw new VmError(
      'EINVAL',
      'a kind of regions needs operations with `fault`, and a RegionObject or none',
    );
  const kinds = RegionKinds.of(threads);
  const known = kinds.find(number);
  if (known?.object === object && known.operations === operations) return;
  if (known !== undefined || kinds.numberOf(object, operations) !== 0)
    throw new VmError('EINVAL', `kind ${number} of regions, or its operations, are registered otherwise`);
  kinds.add({ number, object, operations });
}
