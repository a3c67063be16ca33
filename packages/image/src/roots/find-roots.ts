import { choiceOption, optionsOf, PageTableReader, VmError } from '@vmarea/core';
import type { Image } from '../image.js';
import type { Vmcoreinfo } from '../notes/vmcoreinfo.js';
import { shown } from '../source/broken.js';
import { checkRoot, verdict } from './checks.js';
import { findVmcoreinfo } from './find-vmcoreinfo.js';
import { FormatMaker, type Formats } from './formats.js';
import { machinesOf } from './machines.js';
import type { MachineKind, Proposal, RootOrigin, RootRole } from './proposal.js';
import type { RootCandidate } from './root-candidate.js';
import { type Progress, reporter, scanForKernel } from './scan.js';

/** Options of `findRoots`. */
export interface FindRootsOptions {
  /** The formats that may be read, by the names that candidates use: `{ 'x86-64': x8664, 'x86-64-la57': x8664La57, arm64, riscv64 }`. */
  readonly formats: Formats;
  /**
   * Whether all memory is looked through: `needed` when the dump does not say where VMCOREINFO is, and when no kernel root is
   * believed; `always`; `never`. Default: `needed`.
   */
  readonly scan?: 'needed' | 'always' | 'never';
  /** Told how far a look through memory is: first that for VMCOREINFO, then that for tables. Each begins at the first byte. */
  readonly progress?: Progress;
}

/** What `findRoots` found. */
export interface FoundRoots {
  /** All candidates, best first. */
  readonly candidates: readonly RootCandidate[];
  /** The best one that is believed: the kernel's root, where there is one; `null` when none is. */
  readonly best: RootCandidate | null;
  /** All texts that the kernel has about itself: the dump's, else those in memory. A crash kernel has its own. */
  readonly vmcoreinfo: readonly Vmcoreinfo[];
  /** What could not be used, and why: a text that lacks a key. Where a search ended before the end of memory, and why. */
  readonly reasons: readonly string[];
}

const NAMES = ['formats', 'scan', 'progress'] as const;
const ROLES: readonly RootRole[] = ['kernel', 'process', 'user'];
const ORIGINS: readonly RootOrigin[] = ['vmcoreinfo', 'processor', 'scan'];

/**
 * Finds the roots of a dump's page tables: by what the kernel says of itself, by the registers of its processors, and by a look
 * through memory. Each is checked before it is believed.
 *
 * @throws VmError `EINVAL` for an unknown option, or formats that are none.
 * @example
 * ```ts
 * const { best, candidates } = findRoots(image, { formats: { 'x86-64': x8664, arm64, riscv64 } });
 * if (best?.table) for (const run of listLeaves(best.table)) console.log(run);
 * else for (const { from, whyNot } of candidates) console.error(from, whyNot);
 * ```
 */
export function findRoots(image: Image, options: FindRootsOptions): FoundRoots {
  const given = optionsOf<FindRootsOptions>(options, NAMES, 'findRoots()');
  const scan = choiceOption(given, 'scan', ['needed', 'always', 'never'], 'needed');
  const progress = given.progress as Progress | undefined;
  if (typeof given.formats !== 'object' || given.formats === null)
    throw new VmError('EINVAL', `formats is ${shown(given.formats)}: expected an object with format makers`);
  const formats = new FormatMaker(given.formats as Formats);
  const { contents } = image;
  const reasons: string[] = [];
  let infos: readonly Vmcoreinfo[] = [];
  if (image.vmcoreinfo !== null) infos = [image.vmcoreinfo];
  else if (scan !== 'never') {
    const found = findVmcoreinfo(contents, reporter(progress));
    infos = found.infos;
    if (found.whyCut !== null) reasons.push(found.whyCut);
  }
  const machines = machinesOf(image.machine, infos, image.uts);
  if (machines.length === 0)
    reasons.push(`the dump is of machine ${image.machine}, which has no tables here`);

  const candidates: RootCandidate[] = [];
  const consider = (machine: MachineKind, proposal: Proposal): void => {
    candidates.push(judge(image, formats, machine, proposal));
  };
  for (const machine of machines) {
    for (const info of infos) {
      const proposal = machine.fromVmcoreinfo(info);
      if (typeof proposal !== 'string') consider(machine, proposal);
      else if (machines.length === 1) reasons.push(`${proposal}, in ${info.from}`);
    }
    for (const { registers, source } of image.processors)
      for (const proposal of machine.fromProcessor(registers, source)) consider(machine, proposal);
  }
  const hasKernel = candidates.some(({ isBelieved, role }) => isBelieved && role === 'kernel');
  if (scan === 'always' || (scan === 'needed' && !hasKernel)) {
    const scanned = scanForKernel(image, machines, formats, progress);
    for (const { machine, proposal } of scanned.found) consider(machine, proposal);
    reasons.push(...scanned.reasons);
  }
  const sorted = withoutTwice(candidates.sort(byTrust));
  return Object.freeze({
    candidates: sorted,
    best: sorted.find(({ isBelieved }) => isBelieved) ?? null,
    vmcoreinfo: infos,
    reasons,
  });
}

function judge(image: Image, formats: FormatMaker, machine: MachineKind, proposal: Proposal): RootCandidate {
  const { expected: _, vmcoreinfo: __, ...shownParts } = proposal;
  const about = { ...shownParts, machine: machine.number };
  const refuse = (whyNot: string): RootCandidate =>
    Object.freeze({ ...about, checks: [], isBelieved: false, whyNot, table: null });
  const format = formats.make(proposal.format, proposal.options);
  if (typeof format === 'string') return refuse(format);
  let table: PageTableReader;
  try {
    table = new PageTableReader({
      format,
      memory: image.memory,
      root: proposal.root,
      controls: proposal.controls,
    });
  } catch (error) {
    if (!(error instanceof VmError)) throw error;
    const why = image.whyNot(proposal.root);
    return refuse(why === null ? error.message : `${error.message}; ${why}`);
  }
  const checks = checkRoot(proposal, table, image, machine);
  const whyNot = verdict(proposal, checks, machine.sharedHalf !== null || proposal.role === 'kernel');
  return Object.freeze({ ...about, checks, isBelieved: whyNot === null, whyNot, table });
}

/** Believed ones first; then the kernel's; then by how they were found. */
function byTrust(a: RootCandidate, b: RootCandidate): number {
  return (
    Number(b.isBelieved) - Number(a.isBelieved) ||
    ROLES.indexOf(a.role) - ROLES.indexOf(b.role) ||
    ORIGINS.indexOf(a.origin) - ORIGINS.indexOf(b.origin)
  );
}

/** The same root with the same format counts once, by its best candidate. */
function withoutTwice(sorted: readonly RootCandidate[]): RootCandidate[] {
  const seen = new Set<string>();
  return sorted.filter(({ format, options, root }) => {
    const key = `${format} ${JSON.stringify(options)} ${root}`;
    return !seen.has(key) && seen.add(key);
  });
}
