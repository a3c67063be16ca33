/* A lock of tickets in an arena, and one in .bss: threads count under it. */
#include "arena.h"

ARENA_OF(4);

struct lock {
	u32 next;
	u32 serving;
};

struct lock __arena arena_lock;
u64 __arena arena_count;
u64 bss_count;
u64 bss_atomic;
u32 bss_lock;

SEC("syscall")
int count_in_arena(const u64 *rounds)
{
	u64 n = *rounds;

	for (u64 i = 0; i < n; i++) {
		u32 ticket = __sync_fetch_and_add(&arena_lock.next, 1);

		while (*(volatile u32 __arena *)&arena_lock.serving != ticket)
			;
		arena_count++;
		__sync_fetch_and_add(&arena_lock.serving, 1);
	}
	return 0;
}

SEC("syscall")
int count_in_bss(const u64 *rounds)
{
	u64 n = *rounds;

	for (u64 i = 0; i < n; i++) {
		while (__sync_val_compare_and_swap(&bss_lock, 0, 1) != 0)
			;
		*(volatile u64 *)&bss_count += 1;
		__sync_lock_test_and_set(&bss_lock, 0);
		__sync_fetch_and_add(&bss_atomic, 0x100000001ull);
	}
	return 0;
}

char LICENSE[] SEC("license") = "MIT";
