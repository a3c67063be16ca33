/** The arena can be mapped by processes (include/uapi/linux/bpf.h). Linux demands it of every arena. */
export const BPF_F_MMAPABLE: number = 1 << 10;
/** A user access to a page that no program allocated is a SIGSEGV (include/uapi/linux/bpf.h, 6.9). */
export const BPF_F_SEGV_ON_FAULT: number = 1 << 17;
/** Pointers keep only their low 32 bits: a cast to user space does not add the upper half (include/uapi/linux/bpf.h, 6.9). */
export const BPF_F_NO_USER_CONV: number = 1 << 18;
/** Any memory node (include/linux/numa.h). */
export const NUMA_NO_NODE: number = -1;
