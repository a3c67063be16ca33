import { ARM64_BITS, ARM64_CONTROLS, type Arm64Controls, arm64, LINUX_MAIR } from '@vmarea/arm64';
import type { Configuration } from '@vmarea/core';
import { chance, oneOf } from '../batch/draw.js';
import { PROBES, REAL_ACCESSES, STUB, UNIT, WRITES } from '../guest/layout.js';
import { controlIgnored, leavesMissing, runsRefused, sizeIgnored, useForgotten } from '../plants.js';
import type { Settings, Target } from '../target.js';
import { compareVersions } from '../version.js';
import { ARM64_DEVIATIONS, CLEAN, outputBitsOf } from './arm64-deviations.js';
import { code32, stub } from './install.js';

/*
 * The stub stays at EL2 with its MMU off. AT translates for EL1 and EL0 with any tables. Real accesses run in a page of the stub, which
 * the other half of the address space maps. EL1's vectors return by HVC.
 *
 * Registers: Arm ARM, D24.2. Machine: QEMU, hw/arm/virt.c.
 */

const RAM = 0x4000_0000n;
const STUB_AT = 0x4100_0000n;
const BYTES = 1n << 40n;
/** A block of 1 GiB that maps the stub for EL1 and EL0: read-only, executable, accessed, and inner shareable without LPA2. */
const STUB_TABLE = STUB_AT + BigInt(STUB.tables);
const BLOCK = 0x4000_04c1n;
const INNER_SHAREABLE = 3n << 8n;
/** T0SZ or T1SZ of the stub's half: 39 bits need one table. */
const STUB_TSZ = 25n;
const STUB_EL1 = { ttbr0: STUB_AT, ttbr1: 0xffff_ff80_0000_0000n + STUB_AT } as const;

const IPS: Readonly<Record<number, bigint>> = { 32: 0n, 36: 1n, 40: 2n, 42: 3n, 44: 4n, 48: 5n, 52: 6n };
const TG0: Readonly<Record<number, bigint>> = { 12: 0n, 14: 2n, 16: 1n };
const TG1: Readonly<Record<number, bigint>> = { 12: 2n, 14: 1n, 16: 3n };
/** SCTLR_EL1: what must be 1, SPAN, and M. */
const SCTLR = 0x30d0_0801n;
const EL1_VECTORS = 0x1800n;

/** The minimum of every granule. */
const LEAST_VA_BITS = 17;
const SWITCHES = ['wxn', 'pan', 'epan', 'e0pd', 'hpd', 'ha', 'hd'] as const;

export const arm64Target: Target = {
  name: 'arm64',
  binary: 'qemu-system-aarch64',
  debianPackage: 'qemu-system-arm',
  ram: {
    bytes: BYTES,
    stub: STUB_AT,
    offsetOf: (pa) => pa - RAM,
    banks: [
      { base: 0x4400_0000n, bytes: 4 << 20 },
      { base: 0x55_5540_0000n, bytes: 4 << 20 },
    ],
    frames: [0x4800_0000n, RAM + BYTES],
    // The windows of PCIe are after the memory.
    isEmpty: (pa) => pa >= 1n << 43n,
  },
  accesses: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  judges: ({ name }) => name.startsWith('arm64'),
  install(ram) {
    ram.write(STUB_AT, stub('arm64'));
    return [];
  },
  qemuArguments: () => [
    ...['-machine', 'virt,virtualization=on,memory-backend=ram', '-cpu', 'max'],
    ...['-device', `loader,addr=${STUB_AT},cpu-num=0`],
  ],
  settings(configuration, random, version) {
    const { granule, vaBits, half, outputBits } = geometryOf(configuration);
    const sizes = outputBits === 52 ? [32, 36, 40, 42, 44, 48] : [32, 36, 40, 42, 44];
    const most = granule === 64 || outputBits === 52 ? 52 : 48;
    const settings: Record<string, number | boolean | string> = {
      // Mostly those of the configuration, else others that the architecture allows.
      paBits: chance(random, 70) ? outputBits : oneOf(random, sizes),
      vaBits: chance(random, 70) ? vaBits : LEAST_VA_BITS + random.next(most - LEAST_VA_BITS + 1),
      half: chance(random, 75) ? half : oneOf(random, ['ttbr0', 'ttbr1']),
    };
    const usual = chance(random, 30);
    for (const name of SWITCHES)
      settings[name] = usual ? ARM64_CONTROLS[name] : chance(random, name === 'e0pd' ? 8 : 35);
    // QEMU 7.2 lacks FEAT_PAN3.
    if (compareVersions(version, '10.0') < 0) settings.epan = false;
    return settings;
  },
  subject(configuration, settings) {
    const { granule, outputBits } = geometryOf(configuration);
    const paBits = Number(settings.paBits);
    const vaBits = Number(settings.vaBits);
    const half = settings.half === 'ttbr0' ? 'ttbr0' : 'ttbr1';
    // With the 64K granule, the output size selects wide descriptors.
    const isNarrow = granule === 64 && paBits < 52;
    return {
      format: arm64({
        ...{ granule, vaBits, half, paBits, outputBits: isNarrow ? 48 : outputBits, lpa: true },
        contiguous: configuration.format.levels.some(({ run }) => run !== null),
      }),
      controls: controlsOf(settings),
    };
  },
  registers({ format, controls }, root) {
    const c = controls as Arm64Controls;
    const isLower = format.range.upper === 'zeros';
    const tsz = 64n - BigInt(format.range.bits);
    const flag = (is: boolean, bit: number): bigint => (is ? 1n << BigInt(bit) : 0n);
    const isLpa2 = outputBitsOf(format) === 52 && format.pageShift !== 16;
    const tcr =
      (isLower ? tsz | (STUB_TSZ << 16n) : STUB_TSZ | (tsz << 16n)) |
      ((isLower ? (TG0[format.pageShift] as bigint) : 0n) << 14n) |
      ((isLower ? 2n : (TG1[format.pageShift] as bigint)) << 30n) |
      ((IPS[format.paBits] as bigint) << 32n) |
      flag(c.ha, 39) |
      flag(c.hd, 40) |
      flag(c.hpd, isLower ? 41 : 42) |
      flag(c.e0pd, isLower ? 55 : 56) |
      flag(isLpa2, 59);
    const home = isLower ? 'ttbr1' : 'ttbr0';
    return [
      tcr,
      isLower ? root : STUB_TABLE,
      isLower ? STUB_TABLE : root,
      LINUX_MAIR,
      SCTLR | flag(c.wxn, 19) | flag(c.epan, 57),
      STUB_EL1[home] + EL1_VECTORS,
      STUB_EL1[home],
      // EL1h with all interrupts masked.
      0x3c5n | flag(c.pan, 22),
    ];
  },
  prepare(ram, { format }) {
    const isLpa2 = outputBitsOf(format) === 52 && format.pageShift !== 16;
    // With LPA2 these bits are address bits, and TCR has the shareability.
    ram.write64(STUB_TABLE + 8n, isLpa2 ? BLOCK : BLOCK | INNER_SHAREABLE);
  },
  rootEntries: () => new Map(),
  mask: ({ controls }, { leaf, steps }) =>
    REAL_ACCESSES | (leaf === null ? PROBES : probesOf(controls as Arm64Controls, steps.at(-1)?.entry ?? 0n)),
  code(unit) {
    const X2 = 2;
    return code32(
      0x52800000 | ((unit & 0xffff) << 5) | X2, // movz w2, #low
      0x72a00000 | ((unit >>> 16) << 5) | X2, // movk w2, #high, lsl #16
      0xd4000001, // svc #0
    );
  },
  outcome(result, access, va) {
    const [esr = 0n, far = 0n, value = 0n, elr = 0n] = result;
    if (access.isProbe) {
      // An unreadable entry makes the instruction itself fault.
      if (esr !== 0n) return { kind: 'fault', name: 'FSC', code: Number(esr & 0x3fn), address: far };
      if ((value & 1n) !== 0n)
        return { kind: 'fault', name: 'FSC', code: Number((value >> 1n) & 0x3fn), address: null };
      return { kind: 'done', pa: (value & 0x000f_ffff_ffff_f000n) | (va & 0xfffn), unit: null };
    }
    const ec = Number(esr >> 26n);
    const isFetch = access.kind === 'execute';
    if (ec === EC.svc) {
      if (!isFetch)
        return { kind: 'done', pa: access.kind === 'read' ? value - BigInt(UNIT.loaded) : null, unit: null };
      if (elr === BigInt.asUintN(64, va + 12n))
        return { kind: 'done', pa: null, unit: Number(BigInt.asUintN(32, value)) };
    }
    const expected = (isFetch ? EC.fetch : EC.data) + (access.user ? 0 : 1);
    const isWrite = (esr & WNR) !== 0n;
    if (ec === expected && (isFetch || isWrite === (access.kind === 'write')))
      return { kind: 'fault', name: 'FSC', code: Number(esr & 0x3fn), address: far };
    return {
      kind: 'odd',
      what: `ESR 0x${esr.toString(16)}, FAR 0x${far.toString(16)}, ELR 0x${elr.toString(16)}`,
    };
  },
  noMemory: (_access, va) => ({ kind: 'fault', name: 'FSC', code: 0x10, address: va }),
  // AT S1E1R and S1E1W ignore PSTATE.PAN.
  controls: ({ controls }, { isProbe }) => (isProbe ? { ...controls, pan: false } : controls),
  deviations: ARM64_DEVIATIONS,
  // PXNTable, UXNTable and APTable.
  tableBits: 0xfn << 59n,
  plants: [
    controlIgnored('WXN is ignored', 'wxn', false),
    controlIgnored('PAN is ignored', 'pan', false),
    controlIgnored('table permissions are ignored', 'hpd', true),
    controlIgnored('hardware sets the access flag without HA', 'ha', true),
    useForgotten('a write does not clear AP[2]', 'write'),
    leavesMissing('blocks of the PMD fault', 1),
    sizeIgnored('addresses may exceed the output size'),
    runsRefused('contiguous leaves fault'),
  ],
  // Every granule; LPA2, LPA and neither; with and without runs.
  planted: ['arm64-4k-48', 'arm64-16k-52-cont', 'arm64-64k-52-cont'],
};

/** The probes of a leaf. Processors may differ in whether AT sets the access flag or clears AP[2]: such probes are not made. */
function probesOf({ ha, hd }: Arm64Controls, leaf: bigint): number {
  if (!ha) return PROBES;
  if ((leaf & ARM64_BITS.AF) === 0n) return 0;
  return hd && (leaf & CLEAN) === CLEAN ? PROBES & ~WRITES : PROBES;
}

/** Exception classes: SVC, and aborts from a lower level. Those from the same level are one higher. */
const EC = { svc: 0x15, fetch: 0x20, data: 0x24 };
const WNR = 1n << 6n;

function controlsOf(settings: Settings): Arm64Controls {
  const controls: Record<string, boolean> = { tbi: false, tbid: false };
  for (const name of SWITCHES) controls[name] = settings[name] === true;
  return { ...ARM64_CONTROLS, ...controls };
}

function geometryOf({ format }: Configuration) {
  return {
    granule: (2 ** format.pageShift / 1024) as 4 | 16 | 64,
    vaBits: format.range.bits,
    half: format.range.upper === 'zeros' ? 'ttbr0' : 'ttbr1',
    outputBits: outputBitsOf(format),
  } as const;
}
