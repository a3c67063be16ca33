import { type Controls, type MachineState, type Translation, VmError } from '@vmarea/core';
import { checkedAsid } from './invalidation-names.js';

/**
 * What a processor translates with: one root; several, as arm64's two halves; what a format's `…FromRegisters` returned; or `null`
 * where addresses are physical (MMU off, satp Bare).
 */
export type MmuTables<C extends Controls = Controls> =
  | Translation<C>
  | readonly Translation<C>[]
  | (MachineState<C> & { readonly asid?: number | null })
  | null;

/** The same in one form. */
export interface ProcessorTables {
  readonly translations: readonly Translation[];
  /** `null` when the tables do not say one. */
  readonly asid: number | null;
}

/**
 * Reads what a processor translates with.
 *
 * @throws VmError `EINVAL` when it is something else, or when two roots translate the same addresses.
 */
export function tablesOf(tables: unknown): ProcessorTables {
  const given = tables as { translations?: unknown; asid?: unknown } | null;
  const list = Array.isArray(tables) ? tables : tables === null ? [] : (given?.translations ?? [tables]);
  const asid = given?.asid === undefined || given.asid === null ? null : checkedAsid(given.asid);
  const translations = Array.isArray(list) ? [...(list as Translation[])] : [];
  const isGood = translations.every(
    (one) =>
      Array.isArray(one?.format?.levels) &&
      typeof one.format.range?.upper === 'string' &&
      typeof one.root === 'bigint',
  );
  if (!isGood || (tables !== null && translations.length === 0)) {
    throw new VmError('EINVAL', 'the tables are no translation: they need a format and a root', {
      advice:
        'pass { format, root }, a list of them, what …FromRegisters returned, or null for physical addresses',
    });
  }
  for (const half of ['zeros', 'ones'] as const) {
    const same = translations.filter(
      ({ format: { range } }) => range.upper === half || range.upper === 'sign',
    );
    if (same.length > 1) {
      throw new VmError(
        'EINVAL',
        `${same[0]?.format.name} and ${same[1]?.format.name} translate the same addresses`,
      );
    }
  }
  return { translations, asid };
}
