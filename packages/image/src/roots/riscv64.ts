import type { Vmcoreinfo } from '../notes/vmcoreinfo.js';
import { lacks, type MachineKind, type Proposal, type Shape, wrapped } from './proposal.js';

/** Modes by the bits of an address. */
const MODES: ReadonlyMap<bigint, string> = new Map([
  [39n, 'sv39'],
  [48n, 'sv48'],
  [57n, 'sv57'],
]);
/** Modes by satp.MODE. Source: privileged specification, "Supervisor Address Translation and Protection (satp) Register". */
const SATP_MODES: ReadonlyMap<bigint, string> = new Map([
  [8n, 'sv39'],
  [9n, 'sv48'],
  [10n, 'sv57'],
]);

/** riscv64 with Sv39, Sv48 and Sv57. Svnapot is a rule of leaves, and needs to be known for their frames. */
export const RISCV64: MachineKind = {
  number: 243,
  uts: 'riscv64',
  marks: ['NUMBER(va_kernel_pa_offset)', 'NUMBER(phys_ram_base)', 'NUMBER(KERNEL_LINK_ADDR)'],
  fromVmcoreinfo,
  fromProcessor,
  shapes: [...MODES.values()].map(
    (mode): Shape => ({ format: 'riscv64', options: optionsOf(mode), pageShift: 12, mark: null }),
  ),
  // KERNEL_LINK_ADDR. Source: Linux arch/riscv/include/asm/pgtable.h: the last 2 GiB.
  kernelImage: { va: 0xffffffff80000000n, bytes: 1n << 31n },
  sharedHalf: { userShare: 2, changing: 0, own: [], userRootAt: null, userRootDiffers: 0 },
};

function optionsOf(mode: string): Readonly<Record<string, unknown>> {
  return { mode, svnapot: true };
}

/** Source: Linux arch/riscv/kernel/vmcore_info.c. */
function fromVmcoreinfo(info: Vmcoreinfo): Proposal | string {
  const pgd = info.symbol('swapper_pg_dir');
  const offset = info.number('va_kernel_pa_offset');
  const vaBits = info.number('VA_BITS');
  const missing = lacks({
    'SYMBOL(swapper_pg_dir)': pgd,
    'NUMBER(va_kernel_pa_offset)': offset,
    'NUMBER(VA_BITS)': vaBits,
  });
  if (missing !== null || pgd === null || offset === null || vaBits === null) return missing ?? '';
  const mode = MODES.get(vaBits);
  if (mode === undefined) return `NUMBER(VA_BITS) is ${vaBits}: expected 39, 48 or 57`;
  const text = info.symbol('_stext');
  return {
    format: 'riscv64',
    options: optionsOf(mode),
    controls: {},
    root: wrapped(pgd - offset),
    role: 'kernel',
    origin: 'vmcoreinfo',
    from: `SYMBOL(swapper_pg_dir) - NUMBER(va_kernel_pa_offset), of VMCOREINFO in ${info.from}`,
    expected: text === null ? [] : [{ what: '_stext', va: text, pa: wrapped(text - offset) }],
    vmcoreinfo: info,
  };
}

function fromProcessor(registers: ReadonlyMap<string, bigint>, source: string): readonly Proposal[] {
  const satp = registers.get('satp');
  const mode = satp === undefined ? undefined : SATP_MODES.get(satp >> 60n);
  if (satp === undefined || mode === undefined) return [];
  return [
    {
      format: 'riscv64',
      options: optionsOf(mode),
      controls: {},
      root: (satp & 0xfff_ffff_ffffn) << 12n,
      role: 'process',
      origin: 'processor',
      from: `satp 0x${satp.toString(16)} of a processor, from ${source}`,
      expected: [],
      vmcoreinfo: null,
    },
  ];
}
