/* What the cases of the kernel's selftests need beside arena.h. */
#ifndef VMAREA_CASES_H
#define VMAREA_CASES_H

#include "arena.h"

extern int bpf_arena_reserve_pages(void *map, void __arena *addr, u32 count) __ksym __weak;

typedef volatile u8 __arena byte_t;

/* An access that the compiler leaves where it is. */
#define WORD(address) (*(volatile u32 __arena *)(address))

/* Where a program writes down what it sees, one number after the other: its context. */
#define NOTE(value) (*out++ = (u64)(value))

#endif
