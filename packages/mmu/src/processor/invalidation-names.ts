import {
  checkAddress,
  choiceOption,
  flagOption,
  type Invalidation,
  integerOption,
  nearest,
  optionsOf,
  textOption,
  VmError,
} from '@vmarea/core';
import { ASIDS } from './spaces.js';

const NAMES = ['name', 'addresses', 'asids', 'globals', 'tables', 'broadcast'] as const;

/** The invalidations that a processor knows, by name. */
export class InvalidationNames {
  readonly #byName = new Map<string, Invalidation>();

  /** @throws VmError `EINVAL` for a list or an invalidation that is none. */
  constructor(list: readonly Invalidation[] | undefined) {
    if (list !== undefined && !Array.isArray(list))
      throw new VmError('EINVAL', 'the invalidations are no list', {
        advice: 'pass those of a format package',
      });
    for (const one of list ?? []) {
      const given = optionsOf<Partial<Invalidation>>(one, NAMES, 'an invalidation', 'member');
      this.#byName.set(textOption(given, 'name'), {
        name: textOption(given, 'name'),
        addresses: choiceOption(given, 'addresses', ['page', 'range', 'all']),
        asids: choiceOption(given, 'asids', ['given', 'current', 'all']),
        globals: flagOption(given, 'globals'),
        tables: choiceOption(given, 'tables', ['none', 'addresses', 'all']),
        broadcast: flagOption(given, 'broadcast'),
      });
    }
  }

  /**
   * The invalidation of a name.
   *
   * @throws VmError `EINVAL` naming the nearest one.
   */
  of(name: string): Invalidation {
    const found = this.#byName.get(name);
    if (found !== undefined) return found;
    const names = [...this.#byName.keys()];
    const near = typeof name === 'string' ? nearest(name, names) : undefined;
    throw new VmError('EINVAL', `this processor has no invalidation '${String(name)}'`, {
      advice:
        near !== undefined
          ? `did you mean '${near}'?`
          : names.length === 0
            ? 'give the list of its format as the option `invalidations`'
            : `it has ${names.join(', ')}`,
    });
  }
}

/** What an invalidation names, after its operands. */
export interface Named {
  readonly va: bigint;
  readonly bytes: bigint;
  readonly asid: number;
}

/**
 * Reads the operands of an invalidation: an address when it names one, then the bytes of a range, then an ASID when it is given.
 *
 * @throws VmError `EINVAL` for another number of operands, or one of another kind; `ERANGE` for an address or a range beyond 64 bits.
 */
export function operandsOf(invalidation: Invalidation, operands: readonly (bigint | number)[]): Named {
  const { name, addresses, asids } = invalidation;
  const wanted = [
    ...(addresses === 'all' ? [] : ['the address']),
    ...(addresses === 'range' ? ['the bytes'] : []),
    ...(asids === 'given' ? ['the ASID'] : []),
  ];
  if (operands.length !== wanted.length) {
    throw new VmError('EINVAL', `${name} has ${operands.length} operands`, {
      advice: wanted.length === 0 ? 'it takes none' : `pass ${wanted.join(', then ')}`,
    });
  }
  let next = 0;
  const va = addresses === 'all' ? 0n : (operands[next++] as bigint);
  checkAddress(va);
  const bytes = addresses === 'range' ? bytesOf(name, va, operands[next++]) : 0n;
  const asid = asids === 'given' ? checkedAsid(operands[next]) : 0;
  return { va, bytes, asid };
}

function bytesOf(name: string, va: bigint, given: unknown): bigint {
  if (typeof given !== 'bigint' && !Number.isSafeInteger(given))
    throw new VmError('EINVAL', `${name}: the length of the range is ${String(given)}`, {
      address: va,
      advice: 'pass a whole number of bytes',
    });
  const bytes = BigInt(given as bigint | number);
  if (bytes <= 0n) throw new VmError('EINVAL', `${name}: the range is empty`, { address: va });
  if (va + bytes > 1n << 64n)
    throw new VmError('ERANGE', `${name}: the range ends beyond 64 bits`, { address: va });
  return bytes;
}

/** @throws VmError `EINVAL` for anything but an integer of 16 bits. */
export function checkedAsid(asid: unknown): number {
  return integerOption({ asid }, 'asid', 0, ASIDS - 1);
}
