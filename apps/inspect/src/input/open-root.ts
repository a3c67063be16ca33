import { type Console, choose, coloursFor, type Installed, installedFormats } from '@vmarea/cli';
import { type Configuration, hex, looksLike, printable } from '@vmarea/core';
import type { FoundRoots } from '@vmarea/image';
import { appRoot } from '../app-root.js';
import type { KernelLayout } from '../machines/machine.js';
import { kernelLayout, MACHINES } from '../machines/machines.js';
import { type ChosenRoot, chooseRoot, type RootRequest } from '../roots/choose.js';
import type { RootValues } from './arguments.js';
import { registerOf } from './numbers.js';
import { type OpenDump, openDump } from './open-dump.js';

/** Registers that may name a root, and those that say how it is read. */
export const REGISTER_NAMES: readonly string[] = MACHINES.flatMap(({ roots, others }) => [
  ...roots,
  ...others,
]);

/** A root that a command works on. */
export interface OpenRoot extends OpenDump {
  readonly chosen: ChosenRoot;
  /** The named ranges of its kernel. */
  readonly layout: KernelLayout;
}

/**
 * Opens the dump of a command, and chooses the root that it names.
 *
 * @throws UsageError or VmError with what to do.
 */
export async function openRoot(values: RootValues, io: Console): Promise<OpenRoot> {
  const request = await requestOf(values, io);
  const isNamed = request.root?.startsWith('0x') === true && request.format !== undefined;
  const dump = openDump(values, io, !isNamed && !isSaid(request));
  return closing(dump, () => withRoot(dump, request, io));
}

/** A dump with one of its roots. */
export function withRoot(dump: OpenDump, request: RootRequest, io: Console): OpenRoot {
  const { image, found } = dump;
  const chosen = chooseRoot(image, found, request);
  const doubt = doubtOf(chosen, found, request);
  const { yellow } = coloursFor(io.stderr, io.env);
  if (doubt !== null) io.stderr.write(`${yellow('warning:')} ${doubt}\n`);
  // A kernel that was loaded for a crash says something else of itself.
  const info = found.vmcoreinfo.find(({ from }) => chosen.from.endsWith(`in ${from}`)) ?? found.vmcoreinfo[0];
  return { ...dump, chosen, layout: kernelLayout(chosen.format, info ?? null) };
}

/** Why a root may be none, or not the one that is expected, in words; `null` when nothing speaks against it. */
function doubtOf(
  { candidate, table, format }: ChosenRoot,
  { best, candidates }: FoundRoots,
  { root, registers }: RootRequest,
): string | null {
  if (candidate !== null && !candidate.isBelieved)
    return `this root is not believed: ${printable(candidate.whyNot ?? '')}`;
  if (candidate !== null) {
    const isNamed = root !== undefined || (registers?.size ?? 0) > 0;
    const kernel = candidates.find(({ role, origin }) => role === 'kernel' && origin === 'vmcoreinfo');
    if (isNamed || candidate.role === 'kernel' || kernel === undefined) return null;
    return `this root is one of a ${candidate.role}: that of the kernel, ${hex(kernel.root)}, is not believed: ${printable(kernel.whyNot ?? '')}`;
  }
  // The root that is believed may look so, too: Linux on riscv64 has dozens of empty tables.
  const isAlike = best?.table?.format.name === format.name;
  const usual = isAlike ? looksLike(best.table).reasons.map(withoutNumbers) : [];
  const reasons = looksLike(table).reasons.filter((reason) => !usual.includes(withoutNumbers(reason)));
  return reasons.length === 0
    ? null
    : `this root does not look like one of ${format.name}: ${reasons.join(', ')}`;
}

function withoutNumbers(reason: string): string {
  return reason.replace(/\d+/g, '');
}

/** Does something with a dump that stays open, unless it fails. */
function closing<T>(dump: OpenDump, work: () => T): T {
  try {
    return work();
  } catch (error) {
    dump.close();
    throw error;
  }
}

/** The root that options name. */
async function requestOf(values: RootValues, io: Console): Promise<RootRequest> {
  const registers = new Map(
    REGISTER_NAMES.flatMap((name) => {
      const value = values[name];
      return typeof value === 'string' ? [[name, registerOf(name, value)] as const] : [];
    }),
  );
  const format = values.format === undefined ? undefined : await formatOf(values.format, io);
  return {
    registers,
    ...(values.root === undefined ? {} : { root: values.root }),
    ...(format === undefined ? {} : { format }),
  };
}

/** True when registers say all, so that nothing must be looked for. */
function isSaid({ registers = new Map(), format }: RootRequest): boolean {
  const machine = MACHINES.find(({ roots }) => roots.some((name) => registers.has(name)));
  if (machine === undefined) return false;
  const known = format === undefined ? null : { name: format.name, options: {} };
  try {
    return typeof machine.tables(registers, known) !== 'string';
  } catch {
    return false;
  }
}

async function formatOf(name: string, io: Console): Promise<Configuration> {
  const installed: Installed = await installedFormats(
    { root: appRoot(), load: (one) => import(one) as Promise<unknown> },
    io.cwd,
  );
  for (const warning of installed.warnings) io.stderr.write(`${warning}\n`);
  return choose(installed, name)[0] as Configuration;
}
