import { checkAddress } from '../check/address.js';
import { choiceOption } from '../check/members.js';
import { hex } from '../errors.js';
import { INSPECT } from '../prints.js';
import type { Access, Controls } from './access.js';
import type { PageTableFormat } from './page-table-format.js';
import { holdsAddress, ruleOf } from './virtual-range.js';

/** Existing tables, and how a processor reads them. They can be spread into the options of a page table. */
export interface Translation<C extends Controls = Controls> {
  /** The format of the tables. */
  readonly format: PageTableFormat<C>;
  /** Physical address of the root table in bytes. */
  readonly root: bigint;
  /** The processor modes. */
  readonly controls: C;
}

/** The tables that translate an address. */
export interface AddressTranslation<C extends Controls = Controls> extends Translation<C> {
  /** The address as a walk takes it, without its tag. */
  readonly address: bigint;
}

/**
 * What the registers of a machine mean, in one form for all architectures. `…FromRegisters` of each format
 * returns it.
 */
export interface MachineState<C extends Controls = Controls> {
  /** All tables that the processor translates with. No two translate the same address. */
  readonly translations: readonly Translation<C>[];
  /**
   * The tables that translate an address, and the address without its tag.
   *
   * The result can be spread into the options of a page table: `new PageTableReader({ ...tables, memory })`.
   * That does not copy `address`, which is not an option.
   *
   * @param va - 64 bits, as a pointer has them.
   * @param kind - of the access: a tag may be for data accesses alone. Default: `read`.
   * @returns `null` when no tables translate the address; `whyNot` says why.
   * @throws VmError `EINVAL` or `ERANGE` when `va` is not an unsigned 64-bit bigint; `EINVAL` for an invalid
   *   `kind`.
   */
  for(va: bigint, kind?: Access['kind']): AddressTranslation<C> | null;
  /**
   * Why no tables translate an address, in words for people.
   *
   * @returns `null` when some do.
   * @throws VmError as `for`.
   */
  whyNot(va: bigint, kind?: Access['kind']): string | null;
}

/** Chooses the tables for an address, or says why there are none. */
type Choose<C extends Controls> = (
  va: bigint,
  kind: Access['kind'],
) => { readonly tables: Translation<C>; readonly address: bigint } | string;

/**
 * Makes the result of a format's `…FromRegisters`. Only the members of `shown` are enumerable, so a spread
 * into the options of a page table copies nothing but options.
 *
 * @param shown - members that a spread copies: a `Translation` when the machine has one root.
 * @param beside - members that can be read, but that a spread does not copy.
 * @param choose - gives the tables of an address without its tag, or says why there are none. Whether they
 *   translate the address is checked here.
 * @param translations - all tables of the machine. Default: `shown`, when that is one `Translation`.
 */
export function machineState<C extends Controls, S extends object, B extends object>(
  shown: S,
  beside: B,
  choose: Choose<C>,
  translations: readonly Translation<C>[] = 'format' in shown ? [shown as unknown as Translation<C>] : [],
): Readonly<S & B> & MachineState<C> {
  const answer = (va: bigint, kind: Access['kind'] | undefined): AddressTranslation<C> | string => {
    checkAddress(va);
    const choice = choose(va, choiceOption({ kind }, 'kind', ['read', 'write', 'execute'], 'read'));
    if (typeof choice === 'string') return choice;
    const { tables, address } = choice;
    const { format, root, controls } = tables;
    if (holdsAddress(format.range, address)) return withHidden({ format, root, controls }, { address });
    return `${hex(address)} is not an address of ${format.name}: ${ruleOf(format.range)}`;
  };
  const members = {
    ...beside,
    for: (va: bigint, kind?: Access['kind']) => {
      const found = answer(va, kind);
      return typeof found === 'string' ? null : found;
    },
    whyNot: (va: bigint, kind?: Access['kind']) => {
      const found = answer(va, kind);
      return typeof found === 'string' ? found : null;
    },
  };
  return withHidden(shown, members, { translations: Object.freeze([...translations]) });
}

/**
 * A frozen object with two kinds of members: those of `shown`, and others that can be read but that a spread
 * does not copy. Node's `console.log` prints both.
 *
 * @param shown - enumerable members.
 * @param hidden - members that are not enumerable.
 * @param silent - the same, but not printed: they repeat what others say. Default: none.
 */
export function withHidden<S extends object, H extends object, Q extends object = object>(
  shown: S,
  hidden: H,
  silent?: Q,
): Readonly<S & H & Q> {
  const whole = { ...shown };
  for (const [name, value] of Object.entries({ ...hidden, ...silent })) {
    Object.defineProperty(whole, name, { value });
  }
  Object.defineProperty(whole, INSPECT, { value: () => ({ ...shown, ...hidden }) });
  return Object.freeze(whole) as Readonly<S & H & Q>;
}
