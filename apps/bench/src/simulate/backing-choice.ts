import { resolve } from 'node:path';
import type { Console } from '@vmarea/cli';
import { plural, UsageError } from '@vmarea/cli';
import {
  type AccessBacking,
  imageBacking,
  imageTable,
  type LeafChoice,
  leafShifts,
  type Pagemap,
  pagemapBacking,
  type TouchOptions,
  touchBacking,
  userFormat,
  whyNotMapped,
} from '@vmarea/compare';
import { type Configuration, printable } from '@vmarea/core';
import type { TlbDescription } from '@vmarea/mmu';
import { LARGEST, readInput } from '../input/read-input.js';
import { type MemoryImage, openImage } from './backing/read-image.js';
import { readPagemap } from './backing/read-pagemap.js';
import type { PresetChoice } from './presets.js';

/** Where pages come from: a pagemap, an image with a root, or, with neither, first touches. */
export interface BackingChoice {
  readonly pagemap: Pagemap | null;
  readonly image: MemoryImage | null;
  readonly root: bigint;
  close(): Promise<void>;
}

/** The options about it. */
interface BackingArguments {
  readonly pagemap?: string | undefined;
  readonly image?: string | undefined;
  readonly root?: string | undefined;
  readonly leaves?: string | undefined;
  readonly format?: string | undefined;
  readonly trace?: string | undefined;
}

/**
 * Checks the options `--pagemap`, `--image` and `--root`, and reads their files.
 *
 * @throws UsageError when they contradict each other, or a file cannot be read.
 */
export async function checkedBacking(
  args: BackingArguments,
  configurations: readonly Configuration[],
  io: Pick<Console, 'stdin' | 'cwd'>,
): Promise<BackingChoice> {
  const none = { pagemap: null, image: null, root: 0n, close: async () => undefined };
  if (args.root !== undefined && args.image === undefined)
    throw new UsageError('--root is the root table in an image; name that with --image FILE');
  if (args.image !== undefined) {
    if (args.pagemap !== undefined)
      throw new UsageError('--image and --pagemap both say where pages are; give one of them');
    if (args.leaves !== undefined)
      throw new UsageError('--leaves has no meaning with --image: the table has its own leaves');
    if (args.format === undefined || configurations.length !== 1)
      throw new UsageError('--image needs the format of its tables: --format NAME, one name');
    const image = await openImage(resolve(io.cwd, args.image));
    try {
      return { ...none, image, root: rootOf(args.root, image), close: () => image.close() };
    } catch (error) {
      await image.close();
      throw error;
    }
  }
  if (args.pagemap === undefined) return none;
  if (args.pagemap === '-' && args.trace === '-')
    throw new UsageError('the trace and --pagemap are both standard input; name a file for one of them');
  const path = args.pagemap === '-' ? '-' : resolve(io.cwd, args.pagemap);
  const { text, file } = await readInput(path, io.stdin, LARGEST, 'the lines of a pagemap');
  return { ...none, pagemap: readPagemap(text, file) };
}

function rootOf(value: string | undefined, { file, roots }: MemoryImage): bigint {
  const names = [...roots.keys()];
  const known = names.length === 0 ? '' : `, or one of ${names.join(', ')}`;
  if (value === undefined)
    throw new UsageError(`--image needs --root ADDRESS: the physical address of the root table${known}`);
  const named = roots.get(value);
  if (named !== undefined) return named;
  if (/^0x[0-9a-f]{1,16}$/i.test(value)) return BigInt(value);
  throw new UsageError(
    `--root must be an address such as 0x144218000${known} of ${file}, not '${printable(value)}'`,
  );
}

/** A backing on a processor, to be simulated. */
interface Planned {
  readonly backing: AccessBacking;
  readonly preset: TlbDescription;
}

/**
 * Makes the page tables of a run. Pages on first touch get tables for each preset, since each meets pages at its own walks. Others share.
 *
 * @returns also a sentence for each format that is left out.
 */
export async function backingsFor(
  { pagemap, image, root }: BackingChoice,
  configurations: readonly Configuration[],
  choices: readonly LeafChoice[],
  presets: PresetChoice,
  options: TouchOptions,
): Promise<{ readonly backings: readonly Planned[]; readonly warnings: readonly string[] }> {
  const backings: Planned[] = [];
  const warnings: string[] = [];
  for (const configuration of configurations) {
    const chosen = presets(configuration);
    if (chosen.length === 0) continue;
    const format = userFormat(configuration);
    if (image !== null) {
      const table = await imageTable(image, format, root, options.touched);
      if (table.missing > 0)
        warnings.push(`${image.file} lacks ${plural(table.missing, 'table')} that the trace needs`);
      const backing = imageBacking(configuration, table);
      for (const preset of chosen) backings.push({ backing, preset });
      continue;
    }
    const why = pagemap === null ? null : whyNotMapped(format, pagemap);
    if (why !== null) {
      warnings.push(why);
      continue;
    }
    for (const choice of different(choices, configuration)) {
      const shared = pagemap === null ? null : pagemapBacking(configuration, choice, pagemap);
      for (const preset of chosen) {
        const backing = shared ?? touchBacking(configuration, choice, options);
        if (typeof backing !== 'string') backings.push({ backing, preset });
        else if (!warnings.includes(backing)) warnings.push(backing);
      }
    }
  }
  return { backings, warnings };
}

/** The choices that form different leaves on a format: the first of equal ones. */
function different(choices: readonly LeafChoice[], configuration: Configuration): LeafChoice[] {
  const seen = new Set<string>();
  return choices.filter((choice) => {
    const key = leafShifts(choice, userFormat(configuration), configuration).join();
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
