import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PageTableFormat } from '@vmarea/core';
import { X8664_CONTROLS, type X8664Controls, x8664 } from '@vmarea/x86-64';
import { x8664La57 } from '@vmarea/x86-64-la57';
import { chance } from '../batch/draw.js';
import { MAILBOX, REAL_ACCESSES, STUB, UNIT } from '../guest/layout.js';
import { controlIgnored, rulesDropped, useForgotten } from '../plants.js';
import type { Outcome, Target } from '../target.js';
import { stub } from './install.js';

/*
 * A processor in 64-bit mode cannot turn off paging, so the first slot of every root points to tables of the stub. These map a page of
 * user mode for CPL 3, too. Every vector returns to the stub.
 *
 * Registers: Intel SDM vol. 3A. Machine: QEMU, hw/i386/pc.c.
 */

const STUB_AT = 0x20_0000n;
/** The memory below 4 GiB. The rest starts at 4 GiB. */
const LOW = 1n << 30n;
const HIGH = 4n << 30n;
const BYTES = 768n << 30n;
const END = HIGH + BYTES - LOW;
/** The tables that map the stub. CR3 has them between batches. */
const HOME = STUB_AT + BigInt(STUB.tables);
const USER_AT = STUB_AT + 0x20_0000n;
/** The code of user mode in the stub: [from, to). */
const USER_CODE = [0x800, 0x1000] as const;
const TABLE = 0x67n;
const KERNEL_PAGE = 0xe3n;
const USER_PAGE = 0xe5n;
/** The physical address bits of QEMU's processors without KVM. */
const PA_BITS = 40;
const ROM_BYTES = 0x10000;
/** The GiB that ends with the ROM. */
const ROM_GIB = 3n << 30n;

/** Bits of an entry and of the error code. */
const PRESENT_LARGE = 0x81n;
const ACCESSED = 0x20n;
const ERROR_P = 1;
const ERROR_RSVD = 8;

const CR4 = { PAE: 5, PGE: 7, LA57: 12, SMEP: 20, SMAP: 21, PKE: 22, PKS: 24 };
const SWITCHES = ['wp', 'smep', 'smap', 'ac', 'pke', 'pks'] as const;

export const x8664Target: Target = {
  name: 'x86-64',
  binary: 'qemu-system-x86_64',
  debianPackage: 'qemu-system-x86',
  ram: {
    bytes: BYTES,
    stub: STUB_AT,
    offsetOf: (pa) => (pa < LOW ? pa : pa < HIGH ? -1n : pa - HIGH + LOW),
    banks: [
      { base: 0x200_0000n, bytes: 4 << 20 },
      { base: 0x55_5540_0000n, bytes: 4 << 20 },
    ],
    frames: [HIGH, END],
    isEmpty: (pa) => pa >= END,
  },
  accesses: [0, 1, 2, 3, 4, 5],
  judges: ({ name }) => name.startsWith('x86-64'),
  install(ram, folder, format) {
    const bytes = stub('x86-64');
    ram.write(STUB_AT, bytes);
    ram.write(USER_AT, bytes.subarray(...USER_CODE));
    const depth = format.levels.length;
    const table = (i: number): bigint => HOME + BigInt(i) * 4096n;
    for (let i = 0; i < depth - 2; i++) ram.write64(table(i), table(i + 1) | TABLE);
    // After the reset code loads CR3, one instruction still runs in the ROM.
    ram.write64(table(depth - 3) + 24n, ROM_GIB | KERNEL_PAGE);
    ram.write64(table(depth - 2) + 8n, STUB_AT | KERNEL_PAGE);
    ram.write64(table(depth - 2) + 16n, USER_AT | USER_PAGE);
    // The reset code reads these from the mailbox.
    const registers = STUB_AT + BigInt(STUB.mailbox + MAILBOX.registers);
    ram.write64(registers, HOME);
    ram.write64(registers + 8n, homeCr4(format));
    const rom = new Uint8Array(ROM_BYTES);
    const reset = stub('x86-64-reset');
    rom.set(reset, ROM_BYTES - reset.length);
    const path = join(folder, 'rom');
    writeFileSync(path, rom);
    return [path];
  },
  qemuArguments: (_format, [rom = '']) => [
    ...['-machine', `pc,memory-backend=ram,max-ram-below-4g=${LOW}`, '-cpu', 'max', '-bios', rom],
  ],
  settings(_configuration, random) {
    const settings: Record<string, number | boolean> = {
      nxe: chance(random, 80),
      // The AND of two numbers clears most bits, so that some keys deny nothing.
      pkru: random.next(2 ** 32) & random.next(2 ** 32),
      pkrs: random.next(2 ** 32) & random.next(2 ** 32) & ~3,
    };
    const usual = chance(random, 20);
    for (const name of SWITCHES) settings[name] = usual ? X8664_CONTROLS[name] : chance(random, 50);
    return settings;
  },
  subject(configuration, settings) {
    const make = configuration.format.levels.length === 5 ? x8664La57 : x8664;
    const controls: Record<string, boolean> = {};
    for (const name of SWITCHES) controls[name] = settings[name] === true;
    return {
      format: make({ paBits: PA_BITS, nxe: settings.nxe === true }),
      controls: {
        ...X8664_CONTROLS,
        ...controls,
        pkru: Number(settings.pkru) >>> 0,
        pkrs: Number(settings.pkrs) >>> 0,
      } satisfies X8664Controls,
    };
  },
  registers({ format, controls }, root) {
    const c = controls as X8664Controls;
    const flag = (is: boolean, bit: number): bigint => (is ? 1n << BigInt(bit) : 0n);
    const nxe = !isReserved(format, 63);
    return [
      HOME,
      homeCr4(format),
      root,
      homeCr4(format) |
        flag(c.pge, CR4.PGE) |
        flag(c.smep, CR4.SMEP) |
        flag(c.smap, CR4.SMAP) |
        flag(c.pke, CR4.PKE) |
        flag(c.pks, CR4.PKS),
      0x500n | flag(nxe, 11),
      0x8000_0011n | flag(c.wp, 16),
      2n | flag(c.ac, 18),
      BigInt(c.pkru),
      BigInt(c.pkrs),
    ];
  },
  prepare() {},
  rootEntries: () => new Map([[0, (HOME + 4096n) | TABLE]]),
  mask: () => REAL_ACCESSES,
  code(unit) {
    const bytes = Uint8Array.of(0xb8, 0, 0, 0, 0, 0xcd, 0x80); // mov $unit, %eax; int $0x80
    new DataView(bytes.buffer).setUint32(1, unit, true);
    return bytes;
  },
  outcome(result, access, va) {
    const [what = 0n, cr2 = 0n, value = 0n, rip = 0n] = result;
    const vector = Number(what & 0xffn);
    const code = Number(BigInt.asUintN(32, what >> 8n));
    const isFetch = access.kind === 'execute';
    if (vector === 0x80) {
      if (!isFetch)
        return { kind: 'done', pa: access.kind === 'read' ? value - BigInt(UNIT.loaded) : null, unit: null };
      if (rip === BigInt.asUintN(64, va + 7n))
        return { kind: 'done', pa: null, unit: Number(BigInt.asUintN(32, value)) };
    }
    if (vector === 14) return { kind: 'fault', name: '#PF', code, address: cr2 };
    if (vector === 13) return { kind: 'fault', name: '#GP', code, address: null };
    return {
      kind: 'odd',
      what: `vector ${vector}, error code 0x${code.toString(16)}, RIP 0x${rip.toString(16)}`,
    };
  },
  noMemory: null,
  controls: ({ controls }) => controls,
  deviations: [
    {
      name: 'A in a PUD entry that faults',
      ...{ from: '7.0', to: null },
      about:
        'the manual sets A in a leaf that an access uses; QEMU sets it in an entry of the PUD before it checks whether ' +
        'that is a leaf, has reserved bits, or allows the access',
      concerns({ format }, { steps, fault }) {
        const last = steps.at(-1);
        const isLarge = last !== undefined && (last.entry & PRESENT_LARGE) === PRESENT_LARGE;
        return fault !== null && isLarge && last.level === format.levels.length - 3;
      },
      instead: withoutP,
      marks: ACCESSED,
    },
    {
      name: 'RSVD without P',
      ...{ from: '0', to: null },
      about: 'the manual sets P in the error code for a reserved bit; QEMU does not',
      concerns: (_subject, { fault }) => fault?.kind === 'reserved',
      instead: withoutP,
    },
  ],
  plants: [
    controlIgnored('SMEP is ignored', 'smep', false),
    controlIgnored('WP is always set', 'wp', true),
    controlIgnored('PKRU denies nothing', 'pkru', 0),
    useForgotten('a write does not set D', 'write'),
    rulesDropped('a leaf of 2 MiB may have reserved bits', 1),
  ],
  planted: ['x86-64', 'x86-64-la57'],
};

function withoutP(outcome: Outcome): Outcome {
  if (outcome.kind !== 'fault' || outcome.name !== '#PF' || (outcome.code & ERROR_RSVD) === 0) return outcome;
  return { ...outcome, code: outcome.code & ~ERROR_P };
}

function homeCr4({ levels }: PageTableFormat): bigint {
  return (1n << BigInt(CR4.PAE)) | (levels.length === 5 ? 1n << BigInt(CR4.LA57) : 0n);
}

/** True when a bit must be 0 in a leaf of the last level. */
function isReserved({ levels }: PageTableFormat, bit: number): boolean {
  const rules = levels.at(-1)?.leaf?.rules ?? [];
  return rules.some(({ mask: { lo, hi } }) => ((bit < 32 ? lo >>> bit : hi >>> (bit - 32)) & 1) === 1);
}
