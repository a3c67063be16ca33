/* Loops without a bound of their own, which may_goto ends, and a bounded one. */
#include "arena.h"

u64 rounds;

SEC("syscall")
int endless(void *ctx)
{
	while (can_loop)
		rounds++;
	return 7;
}

static __noinline u64 inner(void)
{
	u64 n = 0;

	while (can_loop)
		n++;
	return n;
}

/* Each call of a function has a budget of its own. */
SEC("syscall")
int nested(void *ctx)
{
	u64 n = inner();

	n += inner();
	rounds = n;
	return 0;
}

SEC("syscall")
u64 bounded(const u64 *count)
{
	u64 n = *count, x = 1;

	for (u64 i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

char LICENSE[] SEC("license") = "MIT";
