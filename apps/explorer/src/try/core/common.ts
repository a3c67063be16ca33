/** What most programs import of core: half of it. */
export {
  AddressSpace,
  FrameAllocator,
  hex,
  PageTable,
  PhysicalMemory,
  protection,
  VM_ALLOC,
  VM_ALLOW_HUGE_VMAP,
  VM_DMA_COHERENT,
  VM_FLUSH_RESET_PERMS,
  VM_IOREMAP,
  VM_MAP,
  VM_NO_GUARD,
  VM_SPARSE,
  VM_USERMAP,
  VmError,
} from '@vmarea/core';
