import {
  type Configuration,
  choiceOption,
  flagOption,
  integerOption,
  optionsOf,
  textOption,
  VmError,
} from '@vmarea/core';
import { type AreaList, type AreaSummary, areasOf, type ReadAreasOptions } from './areas/read-areas.js';
import type { LeafPolicy } from './layout/kernel.js';
import { refuseTooLarge } from './layout/limits.js';
import { type Plan, planLayout } from './layout/plan.js';
import { lengthOf, rebuildLayout, warmUpRounds } from './layout/rebuild.js';
import type { LayoutRow } from './layout/result.js';
import { planWarnings } from './layout/warnings.js';

/** How to compare formats by a /proc/vmallocinfo. */
export interface CompareLayoutOptions extends ReadAreasOptions {
  /** The formats, each with Linux's policy: what the format packages export as `configurations`. At least one. */
  readonly formats: readonly Configuration[];
  /** Leaf policies to compare. Default: both. */
  readonly policies?: readonly LeafPolicy[];
  /** Of frames and sampled addresses: 0 to 2^32 - 1. Default: 1. */
  readonly seed?: number;
  /** Bytes of memory that one row may need while it is rebuilt. Default: 1 GiB. */
  readonly limit?: number;
  /** A clock in milliseconds, such as `() => performance.now()`. Default: nothing is timed. */
  readonly now?: () => number;
  /** Rounds that are timed, 1 to 1000. Default: 11 with a clock, 1 without. */
  readonly rounds?: number;
  /**
   * Is told how far the run is, before each portion of the work: some tens of milliseconds. The run waits for it, so it may let others
   * have the thread, or end the run by an error.
   */
  readonly progress?: (done: number, total: number, what: string) => void | Promise<void>;
}

/** What the areas of a text cost in each format. Plain data: structured clone passes it on. */
export interface LayoutComparison {
  /** What messages call the text. */
  readonly name: string;
  readonly input: AreaSummary;
  /** One for each format and policy, in the order of the options. */
  readonly rows: readonly LayoutRow[];
  /** Areas that are left out or left empty, as sentences. */
  readonly warnings: readonly string[];
}

const READING = ['name', 'pageSize', 'pageSizeName', 'skipBad'] as const;
const OPTIONS = [...READING, 'formats', 'policies', 'seed', 'limit', 'now', 'rounds', 'progress'] as const;
const PAGE_SIZES = [4096, 8192, 16384, 32768, 65536] as const;

/**
 * Reads the text of a whole /proc/vmallocinfo, of Linux 2.6.25 to today or of drgn.
 *
 * @param text - the text.
 * @throws VmError `EINVAL` with line and column of the first line that cannot be read, or the first that contradicts the page size.
 */
export function readAreas(text: string, options?: ReadAreasOptions): AreaList {
  return areasOf(text, readingOptions(optionsOf(options, READING, 'readAreas()')));
}

/**
 * Says what a kernel's vm areas cost in each page-table format. Each area is reserved anew where Linux would place it in the format's
 * vmalloc window, in the order of the text, and mapped with real page tables. Every result is checked before it is given.
 *
 * All counts are exact and the same on every machine. Only times differ.
 *
 * @param text - the text of a whole /proc/vmallocinfo.
 * @param options - the formats, and how to compare them.
 * @throws VmError `EINVAL` for a text that cannot be read, with line and column; `E2BIG` for areas that need more memory than `limit`, with
 *   the line of the largest.
 * @throws WrongResult when a check fails: a mistake of vmarea.
 * @example
 * ```ts
 * const { rows } = await compareLayout(text, { formats: [...x8664Configurations, ...arm64Configurations] });
 * for (const { configuration, leafPolicy, tables } of rows) console.log(configuration, leafPolicy, tables.bytes);
 * ```
 */
export async function compareLayout(text: string, options: CompareLayoutOptions): Promise<LayoutComparison> {
  const given = optionsOf(options, OPTIONS, 'compareLayout()');
  const formats = formatsOf(given.formats);
  const policies = policiesOf(given.policies);
  const now = functionOption<() => number>('now', given.now);
  const progress = functionOption<NonNullable<CompareLayoutOptions['progress']>>('progress', given.progress);
  const seed = integerOption(given, 'seed', 0, 2 ** 32 - 1, 1);
  const limit = integerOption(given, 'limit', 1, Number.MAX_SAFE_INTEGER, 2 ** 30);
  const rounds = integerOption(given, 'rounds', 1, 1000, now === undefined ? 1 : 11);
  const { name, summary, requests } = areasOf(text, readingOptions(given));
  const plans = formats.flatMap((format) => policies.map((policy) => planLayout(requests, format, policy)));
  refuseTooLarge(plans, name, limit);
  const warmUp = (one: Plan): number => (now === undefined ? 0 : warmUpRounds(one));
  const total = plans.reduce((sum, one) => sum + lengthOf(one, warmUp(one) + rounds), 0);
  const rows: LayoutRow[] = [];
  let done = 0;
  for (const one of plans) {
    const what = `${one.configuration.name}, ${one.leafPolicy} leaves`;
    const step = async (pages: number): Promise<void> => {
      await progress?.(done, total, what);
      done += pages;
    };
    rows.push(await rebuildLayout(one, { seed, repeat: rounds, warmUp: warmUp(one), now, step }));
  }
  return { name, input: summary, rows, warnings: plans.flatMap(planWarnings) };
}

function readingOptions(given: { readonly [Name in keyof ReadAreasOptions]?: unknown }): ReadAreasOptions {
  return {
    name: textOption(given, 'name', 'vmallocinfo'),
    pageSizeName: textOption(given, 'pageSizeName', 'pageSize'),
    skipBad: flagOption(given, 'skipBad', false),
    ...(given.pageSize === undefined ? {} : { pageSize: choiceOption(given, 'pageSize', PAGE_SIZES) }),
  };
}

function formatsOf(value: unknown): readonly Configuration[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new VmError('EINVAL', 'formats must be an array of at least one configuration', {
      advice: 'pass what a format package exports as `configurations`',
    });
  for (const [i, one] of value.entries()) {
    if (typeof one?.format?.pageShift === 'number' && typeof one?.linux?.window?.start === 'bigint') continue;
    throw new VmError('EINVAL', `formats[${i}] is no configuration: it has no format or no policy of Linux`);
  }
  return value;
}

function policiesOf(value: unknown): readonly LeafPolicy[] {
  if (value === undefined) return ['base', 'huge'];
  if (!Array.isArray(value) || value.length === 0)
    throw new VmError('EINVAL', "policies must be an array with 'base', 'huge' or both");
  return value.map((policy) => choiceOption({ policies: policy }, 'policies', ['base', 'huge']));
}

function functionOption<T>(name: string, value: unknown): T | undefined {
  if (value !== undefined && typeof value !== 'function')
    throw new VmError('EINVAL', `${name} is ${typeof value}, expected a function`);
  return value as T | undefined;
}
