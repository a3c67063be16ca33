import { type X8664LinuxOptions, type X8664LinuxPolicy, x86LinuxPolicy } from '@vmarea/x86-64';

/** 12,800 TiB: `VMALLOC_SIZE_TB_L5`. */
const VMALLOC_BYTES = 12800n << 40n;

/**
 * Linux's choices on x86-64 with 5 levels: those of 4 levels in a larger window.
 *
 * Source: Linux, `__VMALLOC_BASE_L5` and `VMALLOC_SIZE_TB_L5` in `arch/x86/include/asm/pgtable_64_types.h`;
 * `Documentation/arch/x86/x86_64/mm.rst`.
 *
 * @param options - the kernel, as for `x8664Linux`.
 * @throws VmError `EINVAL` as `x8664Linux`.
 */
export function x8664La57Linux(options?: X8664LinuxOptions): X8664LinuxPolicy {
  return x86LinuxPolicy(
    { name: 'x86-64-la57', vmallocStart: 0xffa0000000000000n, vmallocBytes: VMALLOC_BYTES, userBits: 56 },
    options,
    'x8664La57Linux()',
  );
}
