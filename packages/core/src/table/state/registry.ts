import { shown, VmError } from '../../errors.js';
import type { Translator } from '../walk/translator.js';
import { destroyed, gone, type TableContext } from './context.js';

/** The private parts of a page table. */
export interface Behind {
  readonly context: TableContext;
  readonly translator: Translator;
}

/** The private parts of each page table that a caller holds. */
const tables: WeakMap<object, Behind> = new WeakMap();

/** Keeps the private parts of a page table. */
export function register(table: object, context: TableContext, translator: Translator): void {
  tables.set(table, { context, translator });
}

/**
 * The context of a page table that a caller passed to a function.
 *
 * @throws VmError `EINVAL` when it is no page table of this build of the package, or a destroyed one.
 */
export function contextOf(table: unknown): TableContext {
  return requireLive(contextBehind(table));
}

/** As `contextOf`, also for a table that may be destroyed. */
export function contextBehind(table: unknown): TableContext {
  return behind(table).context;
}

/** Context and translator of a page table that a caller passed to a function. */
export function behind(table: unknown): Behind {
  const found = typeof table === 'object' && table !== null ? tables.get(table) : undefined;
  if (found !== undefined) return found;
  throw new VmError('EINVAL', `${shown(table)} is not a page table`, {
    advice: 'pass a PageTable or a PageTableReader',
  });
}

/** @throws VmError `EINVAL` when the table was destroyed, or when a restore removed it. */
export function requireLive(context: TableContext): TableContext {
  if (context.isDestroyed) throw context.records?.isGone(context.owner) ? gone() : destroyed();
  return context;
}
