import type { Vmcoreinfo } from '../notes/vmcoreinfo.js';
import { bit, lacks, type MachineKind, type Proposal, type Shape, wrapped } from './proposal.js';

/** Where the kernel's image is: `__START_KERNEL_map`, and `KERNEL_IMAGE_SIZE`. Source: Linux arch/x86/include/asm/page_64_types.h. */
const IMAGE = 0xffffffff80000000n;
const IMAGE_BYTES = 1n << 30n;
const LA57 = 12;
/** Bits of CR3 that are no address: PCID, and those of linear-address masking. */
const CR3_ADDRESS = 0x000f_ffff_ffff_f000n;
/** With PTI, bit 12 tells the root of user mode from the kernel's. Source: Linux arch/x86/mm/pti.c, PTI_PGTABLE_SWITCH_BIT. */
const PTI = 0x1000n;
/** Positions of AMD's C-bit on the processors that have it. */
const ENCRYPTION_BITS = [47, 51];

/** x86-64 with 4 and 5 levels. */
export const X86_64: MachineKind = {
  number: 62,
  uts: 'x86_64',
  marks: ['NUMBER(phys_base)', 'NUMBER(pgtable_l5_enabled)', 'NUMBER(sme_mask)'],
  fromVmcoreinfo,
  fromProcessor,
  shapes: [null, ...ENCRYPTION_BITS].flatMap((mark) =>
    ['x86-64', 'x86-64-la57'].map((format): Shape => {
      const options = mark === null ? {} : { encryptionBit: mark };
      return { format, options, pageShift: 12, mark };
    }),
  ),
  kernelImage: { va: IMAGE, bytes: IMAGE_BYTES },
  sharedHalf: {
    userShare: 2,
    // A and D.
    changing: 0x60,
    // LDT_BASE_ADDR: with PTI, the local descriptor table of a process. Source: Linux arch/x86/include/asm/pgtable_64_types.h.
    own: [0xffff880000000000n, 0xff10000000000000n],
    userRootAt: 4096,
    // In the kernel's root, PTI makes the process's half not executable.
    userRootDiffers: 0x80000000 | 0,
  },
};

/** Source: Linux arch/x86/kernel/vmcore_info_64.c. */
function fromVmcoreinfo(info: Vmcoreinfo): Proposal | string {
  const pgd = info.symbol('swapper_pg_dir') ?? info.symbol('init_top_pgt');
  const physBase = info.number('phys_base');
  const missing = lacks({ 'SYMBOL(swapper_pg_dir)': pgd, 'NUMBER(phys_base)': physBase });
  if (missing !== null || pgd === null || physBase === null) return missing ?? '';
  const sme = info.number('sme_mask') ?? 0n;
  const text = info.symbol('_stext');
  const toPhysical = (va: bigint): bigint => wrapped(va - IMAGE + physBase);
  return {
    format: info.number('pgtable_l5_enabled') === 1n ? 'x86-64-la57' : 'x86-64',
    options: sme > 0n ? { encryptionBit: sme.toString(2).length - 1 } : {},
    controls: {},
    root: toPhysical(pgd),
    role: 'kernel',
    origin: 'vmcoreinfo',
    from: `SYMBOL(swapper_pg_dir) - 0x${IMAGE.toString(16)} + NUMBER(phys_base), of VMCOREINFO in ${info.from}`,
    expected: text === null ? [] : [{ what: '_stext', va: text, pa: toPhysical(text) }],
    vmcoreinfo: info,
  };
}

/** Source: Intel SDM volume 3A, "Paging", and Linux arch/x86/mm/pti.c for bit 12 of CR3. */
function fromProcessor(registers: ReadonlyMap<string, bigint>, source: string): readonly Proposal[] {
  const cr0 = registers.get('cr0');
  const cr3 = registers.get('cr3');
  const cr4 = registers.get('cr4');
  // Without paging there are no tables.
  if (cr0 === undefined || cr3 === undefined || cr4 === undefined || !bit(cr0, 31)) return [];
  const whole: Proposal = {
    format: bit(cr4, LA57) ? 'x86-64-la57' : 'x86-64',
    options: {},
    controls: {
      wp: bit(cr0, 16),
      pge: bit(cr4, 7),
      smep: bit(cr4, 20),
      smap: bit(cr4, 21),
      pke: bit(cr4, 22),
    },
    root: cr3 & CR3_ADDRESS,
    role: 'process',
    origin: 'processor',
    from: `CR3 0x${cr3.toString(16)} of a processor, from ${source}`,
    expected: [],
    vmcoreinfo: null,
  };
  // With memory encryption, CR3 has the C-bit, as entries have. Only memory tells it from a bit of the address.
  const encrypted = ENCRYPTION_BITS.filter((position) => bit(whole.root, position)).map((position) => ({
    ...whole,
    options: { encryptionBit: position },
    root: whole.root - (1n << BigInt(position)),
    from: `${whole.from}, without the C-bit ${position}`,
  }));
  return [whole, ...encrypted].flatMap(withKernelHalf);
}

/** With page-table isolation, a processor that stopped in user mode has the second root of its process. */
function withKernelHalf(found: Proposal): readonly Proposal[] {
  if ((found.root & PTI) === 0n) return [found];
  const kernel = {
    ...found,
    root: found.root - PTI,
    from: `${found.from}, without bit 12: it stopped in user mode, with PTI`,
  };
  return [{ ...found, role: 'user' }, kernel, found];
}
