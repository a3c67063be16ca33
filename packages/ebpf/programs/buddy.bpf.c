/*
 * A buddy allocator over a span of arena pages: blocks of 2^order units, each aligned to its size. What a unit is is in a byte for each:
 * 0 inside a block, else 1 + order, with bit 7 set for a free one.
 */
#include "arena.h"

ARENA_OF(64);

#define UNIT 64
#define ORDERS 11
#define UNITS (1 << (ORDERS - 1))
#define FREE 0x80
#define NONE 0xffffffff

struct request {
	u32 kind; /* 0 allocate, 1 free */
	u32 bytes;
	u64 pointer;
};

struct links {
	u32 next;
	u32 previous;
};

u8 __arena state[UNITS];
u32 __arena heads[ORDERS];
struct links __arena links[UNITS];
void __arena *__arena base;
u32 page_bytes = 4096;

static void put(u32 unit, u32 order)
{
	u32 next = heads[order];

	state[unit] = FREE | (order + 1);
	links[unit].next = next;
	links[unit].previous = NONE;
	if (next != NONE)
		links[next].previous = unit;
	heads[order] = unit;
}

static void take(u32 unit, u32 order)
{
	u32 next = links[unit].next, previous = links[unit].previous;

	if (previous == NONE)
		heads[order] = next;
	else
		links[previous].next = next;
	if (next != NONE)
		links[next].previous = previous;
	state[unit] = 0;
}

static __noinline int begin(void)
{
	base = pages(&arena, UNITS * UNIT / page_bytes);
	if (!base)
		return -1;
	for (u32 order = 0; order < ORDERS && can_loop; order++)
		heads[order] = NONE;
	put(0, ORDERS - 1);
	return 0;
}

static __noinline u32 allocate(u32 bytes)
{
	u32 order = 0, found, unit;

	while (order < ORDERS && (UNIT << order) < bytes && can_loop)
		order++;
	for (found = order; found < ORDERS && heads[found] == NONE && can_loop; found++)
		;
	if (found >= ORDERS)
		return NONE;
	unit = heads[found];
	take(unit, found);
	while (found > order && can_loop) {
		found--;
		put(unit + (1 << found), found);
	}
	state[unit] = order + 1;
	return unit;
}

static __noinline int release(u32 unit)
{
	u32 order;

	if (unit >= UNITS || state[unit] == 0 || (state[unit] & FREE))
		return -1;
	order = state[unit] - 1;
	state[unit] = 0;
	while (order < ORDERS - 1 && can_loop) {
		u32 buddy = unit ^ (1 << order);

		if (state[buddy] != (FREE | (order + 1)))
			break;
		take(buddy, order);
		unit &= ~(1 << order);
		order++;
	}
	put(unit, order);
	return 0;
}

SEC("syscall")
int run(struct request *request)
{
	u64 start;

	if (!base && begin())
		return -1;
	start = (u64)base;
	if (request->kind == 0) {
		u32 unit = allocate(request->bytes);

		request->pointer = unit == NONE ? 0 : start + (u64)unit * UNIT;
		return unit == NONE;
	}
	return release((request->pointer - start) / UNIT);
}

char LICENSE[] SEC("license") = "MIT";
