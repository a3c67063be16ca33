/*
 * What a BPF program with an arena needs, without kernel headers: types, sections, the arena's kfuncs, and may_goto.
 * Clang 19 or newer.
 */
#ifndef VMAREA_ARENA_H
#define VMAREA_ARENA_H

#ifndef __BPF_FEATURE_ADDR_SPACE_CAST
#error "this compiler has no casts between address spaces: use clang 19 or newer"
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))
#define __arena __attribute__((address_space(1)))
#define __noinline __attribute__((noinline))
#define __ksym __attribute__((section(".ksyms")))
#define __weak __attribute__((weak))
#define NULL ((void *)0)

/* A map's definition is its type: numbers are lengths of arrays. */
#define __uint(name, value) int(*name)[value]

#define BPF_MAP_TYPE_ARENA 33
#define BPF_F_MMAPABLE (1 << 10)
#define NUMA_NO_NODE (-1)

#define ARENA_OF(pages)                       \
	struct {                              \
		__uint(type, BPF_MAP_TYPE_ARENA); \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, pages);   \
	} arena SEC(".maps")

extern void __arena *bpf_arena_alloc_pages(void *map, void __arena *addr, u32 count, int node, u64 flags) __ksym __weak;
extern void bpf_arena_free_pages(void *map, void __arena *addr, u32 count) __ksym __weak;

static inline void __arena *pages(void *map, u32 count)
{
	return bpf_arena_alloc_pages(map, NULL, count, NUMA_NO_NODE, 0);
}

/*
 * True while the budget of may_goto lasts. The instruction is 0xe5, with a distance in its offset; no assembler of clang 19 knows it by name.
 */
#define can_loop                                                                   \
	({                                                                         \
		__label__ l_spent, l_goes_on;                                      \
		_Bool goes_on = 1;                                                 \
		asm volatile goto("1: .byte 0xe5; .byte 0;"                        \
				  ".long ((%l[l_spent] - 1b - 8) / 8) & 0xffff;"    \
				  ".short 0" : : : : l_spent);                     \
		goto l_goes_on;                                                    \
	l_spent:                                                                   \
		goes_on = 0;                                                       \
	l_goes_on:                                                                 \
		goes_on;                                                           \
	})

#endif
