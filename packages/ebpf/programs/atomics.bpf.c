/* Each atomic operation on 32 and 64 bits, in the arena, on its own values. Results are the old values. */
#include "arena.h"

ARENA_OF(4);

struct values {
	u64 add, sub, and, or, xor, fail, swap, exchange;
};

struct values32 {
	u32 add, sub, and, or, xor, fail, swap, exchange;
};

struct values __arena value64 = { 1, 1, 0x110ull << 32, 0x110ull << 32, 0x110ull << 32, 1, 1, 1 };
struct values __arena old64;
struct values32 __arena value32 = { 1, 1, 0x110, 0x110, 0x110, 1, 1, 1 };
struct values32 __arena old32;
u64 __arena plain64 = 5;
u32 __arena plain32 = 5;

#define ALL(value, old, shift)                                                         \
	do {                                                                           \
		old.add = __sync_fetch_and_add(&value.add, 2);                         \
		old.sub = __sync_fetch_and_sub(&value.sub, 2);                         \
		old.and = __sync_fetch_and_and(&value.and, 0x011ull << shift);         \
		old.or = __sync_fetch_and_or(&value.or, 0x011ull << shift);            \
		old.xor = __sync_fetch_and_xor(&value.xor, 0x011ull << shift);         \
		old.fail = __sync_val_compare_and_swap(&value.fail, 0, 5);             \
		old.swap = __sync_val_compare_and_swap(&value.swap, 1, 2);             \
		old.exchange = __sync_lock_test_and_set(&value.exchange, 2);           \
	} while (0)

SEC("syscall")
int all(void *ctx)
{
	ALL(value64, old64, 32);
	ALL(value32, old32, 0);
	(void)__sync_fetch_and_add(&plain64, 0x1ffffffffull);
	(void)__sync_fetch_and_or(&plain32, 0x80000000u);
	return 0;
}

char LICENSE[] SEC("license") = "MIT";
