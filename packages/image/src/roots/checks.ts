import {
  hex,
  type LevelPlan,
  type Likeness,
  listLeaves,
  looksLike,
  type PageTableReader,
  type PhysicalMemory,
  planOf,
} from '@vmarea/core';
import type { Image } from '../image.js';
import { untilNul } from '../source/reader.js';
import { directMapOf } from './direct-map.js';
import type { Expectation, MachineKind, Proposal, SharedHalf } from './proposal.js';

/** One thing that was checked of a root. */
export interface RootCheck {
  /**
   * - `shape`: its tables look like tables of the format.
   * - `text`: it maps the kernel's text where VMCOREINFO says, executable for the kernel.
   * - `itself`: the direct map maps the root's own frame.
   * - `image`: the root is in the kernel's image, as swapper_pg_dir is.
   * - `utsname`: read through it, the kernel has the release that VMCOREINFO says.
   * - `half`: in the user's half it is as the kernel's root of the same process.
   */
  readonly name: 'shape' | 'text' | 'itself' | 'image' | 'utsname' | 'half';
  /** `null`: the dump lacks what would decide it. */
  readonly isPassed: boolean | null;
  /** What was found, in words. */
  readonly found: string;
}

/** utsname has 65 bytes for each string; the release is the third one. Source: Linux include/uapi/linux/utsname.h. */
const UTS_BYTES = 65;
const RELEASE = 2;
/** Runs of leaves that a look at the kernel's image goes through. */
const MOST_RUNS = 65536;
/** Places at which tables map their root: the direct map and the image. Bytes that are no tables map it at many, or at none. */
const MOST_PLACES = 4;

/** Checks a root that is open. */
export function checkRoot(
  { expected, vmcoreinfo, role, origin }: Proposal,
  table: PageTableReader,
  image: Image,
  machine: MachineKind,
): RootCheck[] {
  const { memory } = image;
  const likeness = looksLike(table);
  const checks = [shapeCheck(table, likeness)];
  const hasKernel = role !== 'user' && (role === 'kernel' || machine.sharedHalf !== null);
  if (role === 'user' && machine.sharedHalf !== null)
    checks.push(halfCheck(table, memory, machine.sharedHalf));
  if (!hasKernel) return checks;
  checks.push(...expected.map((one) => textCheck(table, one)));
  checks.push(selfCheck(table, image, likeness.missing > 0));
  if (vmcoreinfo !== null) {
    const uts = utsnameCheck(table, memory, vmcoreinfo);
    if (uts !== null) checks.push(uts);
  }
  if (origin === 'scan') checks.push(imageCheck(table, machine.kernelImage, directMapOf(table, image)));
  return checks;
}

/**
 * Why a root is not believed, or null. In this order:
 *
 * 1. A check that failed refuses the root. The shape is a guess: it refuses only a root that a scan has found.
 * 2. A search of the kernel's image that was not finished refuses it.
 * 3. Any other check that passed shows that it is right.
 * 4. Else the shape must have passed, and nothing better must have been possible.
 *
 * @param decides - true when some check could have shown that the root is right.
 */
export function verdict(
  { role, origin }: Proposal,
  checks: readonly RootCheck[],
  decides: boolean,
): string | null {
  const failed = checks.filter(
    ({ name, isPassed }) => isPassed === false && (name !== 'shape' || origin === 'scan'),
  );
  // Many tables map themselves. One whose image was not looked at to the end may be any of them.
  const isOpen = ({ name, isPassed }: RootCheck): boolean => name === 'image' && isPassed === null;
  if (failed.length > 0) return failed.map(({ found }) => found).join('; ');
  const open = checks.find(isOpen);
  if (open !== undefined) return open.found;
  const isSure = checks.some(({ name, isPassed }) => name !== 'shape' && isPassed === true);
  if (isSure) return null;
  const shape = checks.find(({ name }) => name === 'shape');
  if (shape !== undefined && shape.isPassed !== true) return shape.found;
  return decides || role === 'user' ? 'nothing that was checked shows that it is right' : null;
}

/**
 * A guess. Empty tables alone do not speak against a root, since kernels make some in advance: riscv64 those of its vmalloc area.
 */
function shapeCheck(table: PageTableReader, likeness: Likeness): RootCheck {
  const { isLikely, reasons, tables, reserved, missing } = likeness;
  if (isLikely)
    return {
      name: 'shape',
      isPassed: true,
      found: `${tables} tables look like tables of ${table.format.name}`,
    };
  return { name: 'shape', isPassed: reserved + missing > 0 ? false : null, found: reasons.join(', ') };
}

function textCheck(table: PageTableReader, { what, va, pa }: Expectation): RootCheck {
  const walk = table.walk(va);
  const at = `${what} at ${hex(va)}`;
  if (walk.pa === null) {
    // A table that the dump lacks is no proof against the root.
    const isMissing = walk.fault?.kind === 'external';
    return {
      name: 'text',
      isPassed: isMissing ? null : false,
      found: `it does not map ${at}: ${walk.fault?.kind}`,
    };
  }
  if (walk.pa !== pa)
    return { name: 'text', isPassed: false, found: `it maps ${at} to ${hex(walk.pa)}: expected ${hex(pa)}` };
  const isExecutable = walk.permissions?.kernel.execute === true;
  return {
    name: 'text',
    isPassed: isExecutable,
    found: isExecutable
      ? `it maps ${at} to ${hex(pa)}, executable`
      : `it maps ${at}, but the kernel may not execute it`,
  };
}

function selfCheck(table: PageTableReader, image: Image, isPart: boolean): RootCheck {
  const va = directMapOf(table, image);
  return va === null
    ? {
        name: 'itself',
        isPassed: isPart ? null : false,
        found: `no direct map maps the root ${hex(table.root)} itself`,
      }
    : { name: 'itself', isPassed: true, found: `the direct map maps the root itself at ${hex(va)}` };
}

/**
 * Looks for the root in the kernel's image.
 *
 * @param direct - where the direct map maps the root: that is no part of the image.
 * @param most - runs of leaves that are looked at.
 */
export function imageCheck(
  table: PageTableReader,
  image: MachineKind['kernelImage'],
  direct: bigint | null,
  most: number = MOST_RUNS,
): RootCheck {
  const { root, format } = table;
  // Without a place of its own, the image is in the half of the range that the direct map is not in.
  const halfOf = (va: bigint): bigint => (va >> BigInt(format.range.bits - 1)) & 1n;
  const isElsewhere = (va: bigint): boolean =>
    image !== null || direct === null || halfOf(va) !== halfOf(direct);
  let runs = 0;
  let places = 0;
  let text: bigint | null = null;
  let found: bigint | null = null;
  for (const item of listLeaves(table, image ?? undefined)) {
    if (++runs > most) break;
    if (item.kind !== 'leaves') continue;
    const isHere = root >= item.pa && root < item.pa + (BigInt(item.count) << BigInt(item.leafShift));
    if (isHere) places++;
    const va = item.va + root - item.pa;
    if (va === direct || !isElsewhere(item.va)) continue;
    if (table.walk(item.va).permissions?.kernel.execute === true) text = item.va - item.pa;
    // The image has the text first, and all of it at one distance.
    if (isHere && text === item.va - item.pa) found ??= va;
  }
  if (places > MOST_PLACES)
    return {
      name: 'image',
      isPassed: false,
      found: `it is mapped at ${places} places, and swapper_pg_dir at two`,
    };
  if (found === null && runs > most)
    return {
      name: 'image',
      isPassed: null,
      found: `it is not in the kernel's image as far as that was looked at: ${most} runs of leaves`,
    };
  return found === null
    ? { name: 'image', isPassed: false, found: "it is not in the kernel's image, as swapper_pg_dir is" }
    : {
        name: 'image',
        isPassed: true,
        found: `the kernel's image, behind its text, has it at ${hex(found)}`,
      };
}

/** The root of user mode and the kernel's root of a process are pages of a pair, with the same half of the process. */
function halfCheck(table: PageTableReader, memory: PhysicalMemory, half: SharedHalf): RootCheck {
  const isSame =
    half.userRootAt !== null && hasSameHalf(table, memory, half, table.root - BigInt(half.userRootAt));
  return {
    name: 'half',
    isPassed: isSame,
    found: isSame
      ? "its half of the process is that of the kernel's root before it"
      : "it is not a pair with the kernel's root before it",
  };
}

function hasSameHalf(
  table: PageTableReader,
  memory: PhysicalMemory,
  half: SharedHalf,
  kernel: bigint,
): boolean {
  const { pageShift, levels } = planOf(table.format);
  const [own, other] = [table.root, kernel].map((root) =>
    memory.locate(Number(root >> BigInt(pageShift)), pageShift),
  );
  if (!own || !other) return false;
  const count = (levels[0] as LevelPlan).entries / half.userShare;
  return isSameHalf(own.bank.words, own.word, other.bank.words, other.word, count, half);
}

/** Compares a process's half of two roots, entry by entry, but for what PTI and processors change. Both empty is not the same. */
export function isSameHalf(
  a: Int32Array,
  from: number,
  b: Int32Array,
  to: number,
  entries: number,
  { changing, userRootDiffers }: SharedHalf,
): boolean {
  let used = 0;
  for (let i = 0; i < 2 * entries; i += 2) {
    const low = (a[from + i] as number) ^ (b[to + i] as number);
    const high = (a[from + i + 1] as number) ^ (b[to + i + 1] as number);
    if (((low & ~changing) | (high & ~userRootDiffers)) !== 0) return false;
    used |= (a[from + i] as number) | (a[from + i + 1] as number);
  }
  return used !== 0;
}

function utsnameCheck(
  table: PageTableReader,
  memory: PhysicalMemory,
  info: NonNullable<Proposal['vmcoreinfo']>,
): RootCheck | null {
  const symbol = info.symbol('init_uts_ns');
  const inside = info.offset('uts_namespace.name');
  const release = info.value('OSRELEASE');
  if (symbol === null || inside === null || release === null) return null;
  const found = readThrough(table, memory, symbol + BigInt(inside + RELEASE * UTS_BYTES), UTS_BYTES);
  if (found === null) return { name: 'utsname', isPassed: null, found: 'the dump lacks the page of utsname' };
  const text = untilNul(found);
  return text === release
    ? { name: 'utsname', isPassed: true, found: `utsname has the release ${release}` }
    : { name: 'utsname', isPassed: false, found: 'utsname has another release than VMCOREINFO says' };
}

/** Bytes at a virtual address; `null` when one is not mapped, or not in the dump. */
function readThrough(
  table: PageTableReader,
  memory: PhysicalMemory,
  va: bigint,
  length: number,
): Uint8Array | null {
  const size = BigInt(2 ** table.format.pageShift);
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const at = va + BigInt(done);
    const part = Math.min(length - done, Number(size - (at % size)));
    const pa = table.translate(at);
    const pfn = pa === null ? null : Number(pa / size);
    if (pa === null || pfn === null || memory.locate(pfn, table.format.pageShift) === null) return null;
    bytes.set(memory.bytesAt(pa, part), done);
    done += part;
  }
  return bytes;
}
