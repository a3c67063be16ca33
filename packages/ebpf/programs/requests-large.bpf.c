/*
 * Requests for the pages of an arena of 4 GiB: the cases of the kernel's verifier_arena_large. The base of the arena comes in the context,
 * and each program writes there what it got and read.
 */
#include "cases.h"

ARENA_OF(1 << 20);

#define SIZE (1ull << 32)
#define PLACES 100
#define MANY 2051

u32 page_bytes = 4096;
/* The page of this variable is one of the arena: the last one, or the first one where an older libbpf loads the program. */
u64 __arena own_page = 7;

/* Which pages requests got, counted from the first one. */
u32 single[PLACES];
u32 refilled[PLACES / 2];
u32 doubled[PLACES / 4];

#define AT(base, page) ((base) + (u64)(page) * page_bytes)
#define ALLOC_AT(address, count) bpf_arena_alloc_pages(&arena, (void __arena *)(address), count, NUMA_NO_NODE, 0)
#define RESERVE(address, count) bpf_arena_reserve_pages(&arena, (void __arena *)(address), count)
#define FREE(address, count) bpf_arena_free_pages(&arena, (void __arena *)(address), count)

SEC("syscall")
int big_alloc1(u64 *out)
{
	byte_t *base = (byte_t *)*out;
	byte_t *first = pages(&arena, 1);
	byte_t *high = ALLOC_AT(base + SIZE - 2 * page_bytes, 1);

	NOTE(first);
	NOTE(high);
	if (!first || !high)
		return 1;
	WORD(first) = 1;
	WORD(high) = 2;
	NOTE(ALLOC_AT(base + SIZE - page_bytes, 1));
	NOTE(ALLOC_AT(base + SIZE, 1));
	NOTE(WORD(first));
	FREE(first, 1);
	NOTE(WORD(first));
	NOTE(WORD(high));
	NOTE(pages(&arena, 1));
	NOTE(WORD(first));
	NOTE(WORD(first + page_bytes));
	NOTE(WORD(high - page_bytes));
	return 0;
}

SEC("syscall")
int access_reserved(u64 *out)
{
	byte_t *base = AT((byte_t *)*out, 16384);

	NOTE(RESERVE(base, 4));
	for (u32 i = 0; i < 4 && can_loop; i++)
		WORD(AT(base, i)) = 0xcafe + i;
	NOTE(WORD(AT(base, 0)));
	NOTE(WORD(AT(base, 1)));
	NOTE(WORD(AT(base, 2)));
	NOTE(WORD(AT(base, 3)));
	return 0;
}

SEC("syscall")
int request_partially_reserved(u64 *out)
{
	byte_t *base = AT((byte_t *)*out, 4096);

	NOTE(RESERVE(AT(base, 3), 4));
	NOTE(ALLOC_AT(base, 5));
	NOTE(ALLOC_AT(base, 3));
	return 0;
}

SEC("syscall")
int free_reserved(u64 *out)
{
	byte_t *base = AT((byte_t *)*out, 32768);

	NOTE(ALLOC_AT(base, 2));
	NOTE(RESERVE(AT(base, 2), 2));
	FREE(AT(base, 1), 2);
	NOTE(ALLOC_AT(AT(base, 1), 2));
	NOTE(ALLOC_AT(AT(base, 3), 1));
	return 0;
}

static u32 page_of(byte_t *first, byte_t *page)
{
	return page ? (u32)((u64)page - (u64)first) / page_bytes : 0xffffffff;
}

SEC("syscall")
int big_alloc2(u64 *out)
{
	byte_t *first = pages(&arena, 1);

	NOTE(first);
	FREE(first, 1);
	for (u32 i = 0; i < PLACES && can_loop; i++)
		single[i] = page_of(first, pages(&arena, 1));
	for (u32 i = 0; i < PLACES && can_loop; i += 2)
		FREE(AT(first, i), 1);
	for (u32 i = 0; i < PLACES / 2 && can_loop; i++)
		refilled[i] = page_of(first, pages(&arena, 1));
	for (u32 i = 0; i < PLACES && can_loop; i += 4)
		FREE(AT(first, i), 2);
	for (u32 i = 0; i < PLACES / 4 && can_loop; i++)
		doubled[i] = page_of(first, pages(&arena, 2));
	NOTE(page_of(first, pages(&arena, 1)));
	return 0;
}

/* big_alloc3 of a program that may not sleep, big_alloc4 of one that may: the kernel frees in two ways. */
SEC("syscall")
int big_alloc3(u64 *out)
{
	byte_t *first = pages(&arena, MANY);
	u32 equal = 0;

	NOTE(first);
	if (!first)
		return 1;
	for (u32 i = 0; i < MANY && can_loop; i++)
		WORD(AT(first, i)) = i + 1;
	for (u32 i = 0; i < MANY && can_loop; i++)
		equal += WORD(AT(first, i)) == i + 1;
	NOTE(equal);
	FREE(first, MANY);
	return 0;
}

char LICENSE[] SEC("license") = "MIT";
