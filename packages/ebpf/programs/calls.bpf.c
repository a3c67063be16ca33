/* Subprograms, recursion over frames by hand, callbacks of a helper, pointers to variables, and a weak kfunc that may be missing. */
#include "arena.h"

static long (*const bpf_loop)(u32 count, void *callback, void *context, u64 flags) = (void *)181;
extern int vm_missing(int value) __ksym __weak;
extern u64 vm_double(u64 value) __ksym;

struct sum {
	u64 total;
	u32 stop;
};

static int table[4] = { 1, 10, 100, 1000 };
int *chosen = &table[2];
const volatile u32 limit = 50;

static int add(u32 index, struct sum *sum)
{
	sum->total += index;
	return index == sum->stop;
}

static int multiply(u32 index, u64 *product)
{
	*product *= index + 1;
	return 0;
}

static __noinline u64 depth6(u64 *at) { return *at + 6; }
static __noinline u64 depth5(u64 *at) { u64 mine = *at + 5; return depth6(&mine) + *at; }
static __noinline u64 depth4(u64 *at) { u64 mine = *at + 4; return depth5(&mine) + *at; }
static __noinline u64 depth3(u64 *at) { u64 mine = *at + 3; return depth4(&mine) + *at; }
static __noinline u64 depth2(u64 *at) { u64 mine = *at + 2; return depth3(&mine) + *at; }
static __noinline u64 depth1(u64 *at) { u64 mine = *at + 1; return depth2(&mine) + *at; }

SEC("syscall")
u64 frames(const u64 *first)
{
	u64 mine = *first;

	return depth1(&mine);
}

SEC("syscall")
u64 loops(const u64 *stop)
{
	struct sum sum = { 0, *stop };
	u64 product = 1;
	long count = bpf_loop(limit, add, &sum, 0);

	bpf_loop(10, multiply, &product, 0);
	return sum.total * 1000000000ull + product * 100 + count;
}

SEC("syscall")
u64 pointers(const u64 *index)
{
	*chosen += 1;
	return table[*index & 3] + vm_double(21);
}

SEC("syscall")
int missing(void *ctx)
{
	return vm_missing ? vm_missing(1) : -1;
}

char LICENSE[] SEC("license") = "MIT";
