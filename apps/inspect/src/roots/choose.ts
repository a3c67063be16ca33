import { type Configuration, hex, type PageTableFormat, PageTableReader, VmError } from '@vmarea/core';
import type { FoundRoots, Image, RootCandidate } from '@vmarea/image';
import type { KnownFormat, Machine } from '../machines/machine.js';
import { MACHINES, machineOfFormat } from '../machines/machines.js';

/** How a root is named; nothing for the best one that was found. */
export interface RootRequest {
  /**
   * A number from 1, as `describeImage` counts candidates; a role (`kernel`, `process`, `user`), for the best candidate of that
   * role; or a physical address with `0x`.
   */
  readonly root?: string;
  /** Registers of a processor by name in lower case: `cr3`, `ttbr1` with `tcr`, `satp`. */
  readonly registers?: ReadonlyMap<string, bigint>;
  /** The format, where nothing else says it. */
  readonly format?: Configuration;
}

/** A root that was chosen, and how it is read. */
export interface ChosenRoot {
  readonly table: PageTableReader;
  readonly format: PageTableFormat;
  /** Its name and options, as far as they are known. */
  readonly known: KnownFormat;
  /** Processor modes that differ from the format's. */
  readonly controls: object;
  /** Physical address in bytes. */
  readonly root: bigint;
  /** Where it is from, in words. */
  readonly from: string;
  /** The candidate that it is; `null` for one that the caller named otherwise. */
  readonly candidate: RootCandidate | null;
  /** `null` for a format of somebody else. */
  readonly machine: Machine | null;
}

/**
 * Chooses a root: the best that was found, or the one that is named.
 *
 * @param found - what `findRoots` found.
 * @throws VmError `EINVAL` when there is none, when the request names none, or when it does not say enough; `EFAULT` when the dump
 *   lacks the root table. The message says what to do.
 * @example
 * ```ts
 * const found = findRoots(image, { formats: FORMATS });
 * const { table } = chooseRoot(image, found, { root: 'kernel' });
 * ```
 */
export function chooseRoot(image: Image, found: FoundRoots, request: RootRequest = {}): ChosenRoot {
  const { root, registers, format } = request;
  if (registers !== undefined && registers.size > 0) {
    if (root !== undefined)
      throw refused('a root is named twice: by registers, and by `root`', 'leave one out');
    return byRegisters(image, found, registers, format);
  }
  if (root === undefined && format === undefined) return best(found);
  if (root === undefined) return best(found, format);
  if (/^0x[\da-f]{1,16}$/i.test(root)) return byAddress(image, found, BigInt(root), format);
  if (format !== undefined)
    throw refused(`the candidate ${root} has its own format`, 'leave out the format, or name an address');
  return ofCandidate(named(found, root));
}

function best(found: FoundRoots, format?: Configuration): ChosenRoot {
  if (found.best === null) throw noRoot(found);
  if (format !== undefined && found.best.table?.format.name !== format.format.name)
    throw refused(
      `the best root is one of ${found.best.table?.format.name}, not ${format.format.name}`,
      'leave out the format, or name the address of a root too',
    );
  return ofCandidate(found.best);
}

function ofCandidate(candidate: RootCandidate): ChosenRoot {
  const { table, root, from, controls, format, options } = candidate;
  if (table === null) throw refused(`the root ${hex(root)} cannot be opened: ${candidate.whyNot}`);
  return {
    ...{ table, root, from, controls, candidate, format: table.format },
    known: { name: format, options },
    machine: machineOfFormat(table.format),
  };
}

function named({ candidates }: FoundRoots, name: string): RootCandidate {
  const number = /^\d{1,4}$/.test(name) ? Number(name) : null;
  const known =
    candidates.length === 0
      ? 'there is none'
      : `there are 1 to ${candidates.length}, kernel, process and user`;
  const one =
    number === null
      ? (candidates.find(({ role, isBelieved }) => role === name && isBelieved) ??
        candidates.find(({ role }) => role === name))
      : candidates[number - 1];
  if (one !== undefined) return one;
  throw refused(
    `no root was found that is called ${JSON.stringify(name.slice(0, 40))}: ${known}`,
    'an address begins with 0x',
  );
}

function byAddress(
  image: Image,
  found: FoundRoots,
  root: bigint,
  given: Configuration | undefined,
): ChosenRoot {
  const candidate = found.candidates.find((one) => one.root === root && one.table !== null);
  if (given === undefined && candidate !== undefined) return ofCandidate(candidate);
  const like = found.best;
  const format = given?.format ?? like?.table?.format;
  if (format === undefined)
    throw refused(`the format of the root ${hex(root)} is not known`, 'name the format, too');
  const isLike = given === undefined && like !== null;
  return open(image, {
    format,
    root,
    controls: isLike ? like.controls : {},
    from: 'the caller',
    known: isLike ? { name: like.format, options: like.options } : { name: format.name, options: {} },
    machine: machineOfFormat(format),
  });
}

function byRegisters(
  image: Image,
  found: FoundRoots,
  registers: ReadonlyMap<string, bigint>,
  format: Configuration | undefined,
): ChosenRoot {
  const names = [...registers.keys()];
  const machine = MACHINES.find(({ roots }) => roots.some((name) => registers.has(name)));
  if (machine === undefined)
    throw refused(
      `a root is not among ${names.join(', ')}`,
      `one of ${MACHINES.flatMap(({ roots }) => roots).join(', ')} is needed`,
    );
  const foreign = names.find((name) => ![...machine.roots, ...machine.others].includes(name));
  if (foreign !== undefined) throw refused(`${machine.name} has no register ${foreign}`);
  const roots = machine.roots.filter((name) => registers.has(name));
  if (roots.length > 1) throw refused(`${roots.join(' and ')} are two roots`, 'name one of them');
  const known = knownFormat(found, machine, format);
  const tables = machine.tables(registers, known);
  if (typeof tables === 'string') throw refused(tables);
  const values = names.map((name) => `${name} ${hex(registers.get(name) ?? 0n)}`).join(', ');
  return open(image, {
    ...tables,
    from: `the caller: ${values}`,
    known: known ?? { name: tables.format.name, options: {} },
    machine,
  });
}

function knownFormat(
  { candidates }: FoundRoots,
  machine: Machine,
  format: Configuration | undefined,
): KnownFormat | null {
  if (format !== undefined) return { name: format.name, options: {} };
  const like = candidates.find((one) => one.machine === machine.number && one.isBelieved);
  return like === undefined ? null : { name: like.format, options: like.options };
}

function open(
  image: Image,
  { format, root, controls, ...about }: Omit<ChosenRoot, 'table' | 'candidate'>,
): ChosenRoot {
  try {
    const table = new PageTableReader({ format, memory: image.memory, root, controls });
    return { ...about, format, root, controls, table, candidate: null };
  } catch (error) {
    const why = error instanceof VmError ? image.whyNot(root) : null;
    if (why === null) throw error;
    throw new VmError('EFAULT', `the root table is not in the dump; ${why}`, { address: root, cause: error });
  }
}

/** Nothing is believed: says why, and what can be done. */
function noRoot({ candidates, reasons }: FoundRoots): VmError {
  const doubts = candidates
    .slice(0, 4)
    .map(({ root, from, whyNot }, i) => `\n  ${i + 1}: ${hex(root)}, from ${from}: ${whyNot}`);
  const why = [...reasons.map((reason) => `\n  ${reason}`), ...doubts];
  return refused(
    `no root of page tables was found that can be believed${why.join('') || ': memory has none that looks like one'}\n` +
      `Name one: a candidate by its number, an address with its format, or registers (${MACHINES.flatMap(({ roots }) => roots).join(', ')})`,
  );
}

function refused(what: string, advice?: string): VmError {
  return new VmError('EINVAL', what, advice === undefined ? {} : { advice });
}
