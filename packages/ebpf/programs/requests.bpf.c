/*
 * Requests for the pages of an arena of two pages: the cases of the kernel's verifier_arena. Each program writes into its context what
 * it got and read; the test knows what that must be.
 */
#include "cases.h"

ARENA_OF(2);

u32 page_bytes = 4096;

SEC("syscall")
int basic_alloc1(u64 *out)
{
	byte_t *first = pages(&arena, 1);
	byte_t *second;

	NOTE(first);
	if (!first)
		return 1;
	WORD(first) = 1;
	second = pages(&arena, 1);
	NOTE(second);
	if (!second)
		return 2;
	WORD(second) = 2;
	NOTE(pages(&arena, 1));
	NOTE(WORD(first));
	NOTE(WORD(second));
	bpf_arena_free_pages(&arena, (void __arena *)second, 1);
	NOTE(WORD(first));
	NOTE(WORD(second));
	NOTE(pages(&arena, 1));
	NOTE(WORD(first));
	NOTE(WORD(second));
	return 0;
}

SEC("syscall")
int basic_alloc2(u64 *out)
{
	byte_t *first = pages(&arena, 2);
	byte_t *second, *behind, *before;

	NOTE(first);
	if (!first)
		return 1;
	second = first + page_bytes;
	behind = second + page_bytes;
	before = first - page_bytes;
	WORD(first) = 1;
	WORD(second) = 2;
	WORD(behind) = 3;
	WORD(before) = 4;
	NOTE(WORD(first));
	NOTE(WORD(second));
	NOTE(WORD(behind));
	NOTE(WORD(before));
	bpf_arena_free_pages(&arena, (void __arena *)first, 2);
	NOTE(WORD(first));
	NOTE(WORD(second));
	NOTE(WORD(behind));
	NOTE(WORD(before));
	return 0;
}

SEC("syscall")
int basic_alloc3(u64 *out)
{
	NOTE(pages(&arena, 3));
	NOTE(pages(&arena, 2));
	NOTE(pages(&arena, 1));
	return 0;
}

SEC("syscall")
int basic_reserve1(u64 *out)
{
	byte_t *first = pages(&arena, 1);
	byte_t *second;

	NOTE(first);
	if (!first)
		return 1;
	second = first + page_bytes;
	NOTE(bpf_arena_reserve_pages(&arena, (void __arena *)second, 1));
	NOTE(bpf_arena_alloc_pages(&arena, (void __arena *)second, 1, NUMA_NO_NODE, 0));
	NOTE(pages(&arena, 1));
	return 0;
}

/* The base of the arena comes in the context. */
SEC("syscall")
int basic_reserve2(u64 *out)
{
	void __arena *base = (void __arena *)*out;

	NOTE(bpf_arena_reserve_pages(&arena, base, 1));
	NOTE(bpf_arena_alloc_pages(&arena, base, 1, NUMA_NO_NODE, 0));
	NOTE(pages(&arena, 1));
	return 0;
}

SEC("syscall")
int reserve_twice(u64 *out)
{
	void __arena *base = (void __arena *)*out;

	NOTE(bpf_arena_reserve_pages(&arena, base, 1));
	NOTE(bpf_arena_reserve_pages(&arena, base, 1));
	return 0;
}

SEC("syscall")
int reserve_invalid_region(u64 *out)
{
	void __arena *base = (void __arena *)*out;

	NOTE(bpf_arena_reserve_pages(&arena, NULL, 3));
	NOTE(bpf_arena_reserve_pages(&arena, base, 3));
	NOTE(bpf_arena_reserve_pages(&arena, base, 4096));
	NOTE(bpf_arena_reserve_pages(&arena, base, 0xffffffff));
	NOTE(pages(&arena, 2));
	return 0;
}

char LICENSE[] SEC("license") = "MIT";
