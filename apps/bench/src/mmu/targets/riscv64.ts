import { classify, type PageTableFormat, type Walk, type Words, words } from '@vmarea/core';
import {
  RISCV_BITS,
  RISCV64_CONTROLS,
  type Riscv64Controls,
  type Riscv64Mode,
  riscv64,
} from '@vmarea/riscv64';
import { chance } from '../batch/draw.js';
import { type GuestAccess, REAL_ACCESSES, UNIT } from '../guest/layout.js';
import { controlIgnored, leavesMissing, rulesDropped, runsRefused, useForgotten } from '../plants.js';
import type { Outcome, Subject, Target } from '../target.js';
import { compareVersions } from '../version.js';
import { code32, stub } from './install.js';

/*
 * The stub stays in M mode, without translation. mstatus.MPRV makes its loads and stores those of S or U, and MRET makes fetches.
 *
 * Registers: RISC-V privileged specification. Machine: QEMU, hw/riscv/virt.c.
 */

const RAM = 0x8000_0000n;
const STUB_AT = 0x8100_0000n;
const BYTES = 1n << 40n;
const SATP_MODES: Readonly<Record<Riscv64Mode, bigint>> = { sv39: 8n, sv48: 9n, sv57: 10n };
const MPP_S = 1n << 11n;
const SUM = 1n << 18n;
const MXR = 1n << 19n;
const ADUE = 1n << 61n;
const PBMTE = 1n << 62n;
const { V, R, W, X, A, D, PBMT, N, RESERVED } = RISCV_BITS;
const UPPER = RESERVED | PBMT | N;
/** The stub's report of an access without a trap. */
const NO_CAUSE = (1n << 64n) - 1n;

export const riscv64Target: Target = {
  name: 'riscv64',
  binary: 'qemu-system-riscv64',
  debianPackage: 'qemu-system-riscv (qemu-system-misc before Debian 13)',
  ram: {
    bytes: BYTES,
    stub: STUB_AT,
    offsetOf: (pa) => pa - RAM,
    banks: [
      { base: 0x8400_0000n, bytes: 4 << 20 },
      { base: 0x55_5540_0000n, bytes: 4 << 20 },
    ],
    // The device tree ends at 3 GiB.
    frames: [0xc000_0000n, RAM + BYTES],
    isEmpty: (pa) => pa >= 1n << 44n,
  },
  accesses: [0, 1, 2, 3, 4, 5],
  judges: ({ name }) => name.startsWith('riscv64'),
  install(ram) {
    ram.write(STUB_AT, stub('riscv64'));
    return [];
  },
  qemuArguments(format, _files, version) {
    const svnapot = format.levels.some(({ run }) => run !== null);
    // Older versions always have Sv57 and hardware updates of A and D.
    const since8 = hasSvadu(version) ? 'sv57=on,svadu=on,' : '';
    return [
      ...['-machine', 'virt,memory-backend=ram', '-bios', 'none'],
      ...['-cpu', `rv64,${since8}svpbmt=on,svnapot=${svnapot ? 'on' : 'off'}`],
      ...['-device', `loader,addr=${STUB_AT},cpu-num=0`],
    ];
  },
  settings: (_configuration, random, version) => ({
    svpbmt: chance(random, 60),
    sum: chance(random, 40),
    mxr: chance(random, 40),
    adue: chance(random, 50) || !hasSvadu(version),
  }),
  subject(configuration, settings) {
    const { levels } = configuration.format;
    return {
      format: riscv64({
        mode: modeOf(configuration.format),
        svnapot: levels.some(({ run }) => run !== null),
        svpbmt: settings.svpbmt === true,
      }),
      controls: {
        ...RISCV64_CONTROLS,
        ...{ sum: settings.sum === true, mxr: settings.mxr === true, adue: settings.adue === true },
      },
    };
  },
  registers({ format, controls }, root) {
    const { sum, mxr, adue } = controls as Riscv64Controls;
    const status = (sum ? SUM : 0n) | (mxr ? MXR : 0n);
    const pbmt = format.memoryTypes.includes('device');
    return [
      (SATP_MODES[modeOf(format)] << 60n) | (root >> 12n),
      status | MPP_S,
      status,
      (adue ? ADUE : 0n) | (pbmt ? PBMTE : 0n),
    ];
  },
  prepare() {},
  rootEntries: () => new Map(),
  mask: () => REAL_ACCESSES,
  code(unit) {
    const A2 = 12;
    return code32(
      ((((unit + 0x800) >>> 12) << 12) | (A2 << 7) | 0x37) >>> 0, // lui a2, high
      (((unit & 0xfff) << 20) | (A2 << 15) | (A2 << 7) | 0x1b) >>> 0, // addiw a2, a2, low
      0x73, // ecall
    );
  },
  outcome(result, access, va) {
    const [cause = 0n, address = 0n, value = 0n, pc = 0n] = result;
    const isFetch = access.kind === 'execute';
    if (cause === NO_CAUSE && !isFetch)
      return { kind: 'done', pa: access.kind === 'read' ? value - BigInt(UNIT.loaded) : null, unit: null };
    if (isFetch && cause === (access.user ? 8n : 9n) && pc === BigInt.asUintN(64, va + 8n))
      return { kind: 'done', pa: null, unit: Number(BigInt.asUintN(32, value)) };
    if (FAULTS[access.kind].includes(Number(cause)))
      return { kind: 'fault', name: 'scause', code: Number(cause), address };
    return {
      kind: 'odd',
      what: `mcause ${cause}, mtval 0x${address.toString(16)}, mepc 0x${pc.toString(16)}`,
    };
  },
  noMemory: ({ kind }, va) => ({
    kind: 'fault',
    name: 'scause',
    code: FAULTS[kind][0] as number,
    address: va,
  }),
  controls: ({ controls }) => controls,
  deviations: [
    {
      name: 'tables without memory',
      ...{ from: '0', to: null },
      about: 'the manual has an access fault for an unreadable entry; QEMU raises a page fault',
      concerns: (_subject, { fault }) => fault?.kind === 'external',
      instead: toPageFault,
    },
    {
      name: 'PBMT 3 in a leaf',
      ...{ from: '0', to: null },
      about: 'the manual reserves PBMT 3; QEMU accepts it',
      concerns: isOnlyPbmt3,
      instead: null,
    },
    {
      name: 'reserved upper bits in a leaf',
      ...{ from: '0', to: '10.0' },
      about: 'bits 63:54 without an extension fault when set; QEMU 7.2 ignores them in leaves',
      concerns: (_subject, { fault, steps }) =>
        fault?.kind === 'reserved' && !has(steps.at(-1)?.entry, UPPER, 0n),
      instead: null,
    },
    {
      name: 'A and D in a bad NAPOT entry',
      ...{ from: '0', to: null },
      about: 'N with a reserved frame pattern faults; QEMU sets A and D before that',
      concerns: (_subject, { fault, steps }) =>
        fault?.kind === 'reserved' &&
        has(steps.at(-1)?.entry, N, N) &&
        !has(steps.at(-1)?.entry, R | W | X, 0n),
      instead: (outcome) => outcome,
      marks: A | D,
    },
  ],
  plants: [
    controlIgnored('MXR is ignored', 'mxr', false),
    controlIgnored('SUM is always set', 'sum', true),
    useForgotten('a write does not set D', 'write'),
    rulesDropped('leaves of the PMD may be misaligned and reserved', 1),
    leavesMissing('leaves of the PMD fault', 1),
    rulesDropped('pages may have reserved bits, and runs may have any pattern', 0),
    runsRefused('NAPOT leaves fault'),
  ],
  planted: ['riscv64-sv39', 'riscv64-sv48-napot'],
};

/** The access fault and page fault of each kind of access. */
const FAULTS = { execute: [1, 12], read: [5, 13], write: [7, 15] };

/** The page fault for each access fault. */
const PAGE_FAULT_OF = new Map(Object.values(FAULTS) as [number, number][]);

function toPageFault(outcome: Outcome): Outcome {
  if (outcome.kind !== 'fault') return outcome;
  return { ...outcome, code: PAGE_FAULT_OF.get(outcome.code) ?? outcome.code };
}

/** True when only PBMT 3 forbids the access. */
function isOnlyPbmt3({ format, controls }: Subject, { fault, steps }: Walk, access: GuestAccess): boolean {
  const last = steps.at(-1);
  if (last === undefined || !format.memoryTypes.includes('device')) return false;
  if (fault?.kind !== 'reserved' || !has(last.entry, V | PBMT, V | PBMT) || has(last.entry, R | X, 0n))
    return false;
  const path = steps.map((step) => words(step === last ? step.entry & ~PBMT : step.entry));
  const leaf = format.levels[last.level];
  return (
    leaf !== undefined &&
    classify(format.present, leaf, path.at(-1) as Words) === 'leaf' &&
    format.check(path, access, controls) === null
  );
}

function has(entry: bigint | undefined, mask: bigint, value: bigint): boolean {
  return entry !== undefined && (entry & mask) === value;
}

/** Older versions let hardware set A and D, whatever menvcfg says. */
function hasSvadu(version: string): boolean {
  return compareVersions(version, '8.0') >= 0;
}

function modeOf({ range: { bits } }: PageTableFormat): Riscv64Mode {
  return `sv${bits}` as Riscv64Mode;
}
