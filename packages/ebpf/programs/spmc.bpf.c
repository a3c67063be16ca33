/*
 * A queue with one owner, who adds at its bottom and takes from there, and others, who steal from its top. When it is full, the owner
 * copies it into a ring of twice the size. Indexes only grow; every access to them is an atomic operation.
 */
#include "cases.h"

ARENA_OF(64);

#define MOST 1024
#define LEAST 64
#define RINGS 5
#define THIEVES 4
#define NOTHING (~0ull)

u32 page_bytes = 4096;

/* Rings of the same room, of which each one uses twice as much as the one before. */
u64 __arena *__arena rings;
/* Who got which values: as many for each. The owner's are the last ones. */
u64 __arena *__arena values;
u64 __arena top;
u64 __arena bottom;
u64 __arena ring_now;
u64 __arena done;
u64 __arena resizes;
u64 __arena counts[THIEVES + 1];
u64 __arena thieves;

#define READ(place) __sync_fetch_and_add(&(place), 0)
#define WRITE(place, value) ((void)__sync_lock_test_and_set(&(place), value))

/* Takes the memory of all. */
SEC("syscall")
int prepare(void *ctx)
{
	rings = pages(&arena, (RINGS * MOST * sizeof(u64) + page_bytes - 1) / page_bytes);
	values = pages(&arena, ((THIEVES + 1) * MOST * sizeof(u64) + page_bytes - 1) / page_bytes);
	return rings && values ? 0 : 1;
}

static u64 size_of(u64 ring)
{
	return (u64)LEAST << ring;
}

static u64 __arena *place_of(u64 ring, u64 index)
{
	return &rings[ring * MOST + (index & (size_of(ring) - 1))];
}

static void note(u32 who, u64 value)
{
	u64 count = counts[who];

	if (count < MOST)
		values[who * MOST + count] = value;
	counts[who] = count + 1;
}

static int add(u64 value)
{
	u64 at = READ(bottom), first = READ(top), ring = READ(ring_now);

	if (at - first >= size_of(ring) - 1) {
		if (ring + 1 >= RINGS)
			return 1;
		for (u64 i = first; i != at && can_loop; i++)
			*place_of(ring + 1, i) = *place_of(ring, i);
		ring++;
		WRITE(ring_now, ring);
		resizes++;
	}
	*place_of(ring, at) = value;
	WRITE(bottom, at + 1);
	return 0;
}

static u64 take(void)
{
	u64 at = READ(bottom) - 1, first, value;

	/* Thieves see first that the last one is claimed. */
	WRITE(bottom, at);
	first = READ(top);
	if ((s64)(at - first) < 0) {
		WRITE(bottom, first);
		return NOTHING;
	}
	value = *place_of(READ(ring_now), at);
	if (at != first)
		return value;
	/* The last one: a thief may be faster. */
	if (__sync_val_compare_and_swap(&top, first, first + 1) != first)
		value = NOTHING;
	WRITE(bottom, first + 1);
	return value;
}

static u64 steal(void)
{
	u64 first = READ(top), at = READ(bottom), value;

	if ((s64)(at - first) <= 0)
		return NOTHING;
	value = *place_of(READ(ring_now), first);
	return __sync_val_compare_and_swap(&top, first, first + 1) == first ? value : NOTHING;
}

/* Adds the numbers from 1 on, takes some of them back, and at the end all that are left. */
SEC("syscall")
int own(const u64 *count)
{
	u64 n = *count;

	for (u64 i = 1; i <= n; i++) {
		if (add(i))
			return 1;
		if (i % 7 == 0) {
			u64 value = take();

			if (value != NOTHING)
				note(THIEVES, value);
		}
	}
	for (;;) {
		u64 value = take();

		if (value == NOTHING)
			break;
		note(THIEVES, value);
	}
	WRITE(done, 1);
	return 0;
}

/* Steals until the owner is done. */
SEC("syscall")
int rob(const u64 *count)
{
	u32 me = __sync_fetch_and_add(&thieves, 1) & (THIEVES - 1);

	for (;;) {
		u64 is_done = READ(done);
		u64 value = steal();

		if (value != NOTHING)
			note(me, value);
		else if (is_done)
			return 0;
	}
}

/* Steals at most so many, for a test of one processor. */
SEC("syscall")
int rob_some(const u64 *count)
{
	u64 n = *count;

	for (u64 i = 0; i < n; i++) {
		u64 value = steal();

		if (value == NOTHING)
			return 0;
		note(0, value);
	}
	return 0;
}

SEC("syscall")
int add_some(const u64 *range)
{
	for (u64 i = 0; i < range[1]; i++)
		if (add(range[0] + i))
			return 1;
	return 0;
}

SEC("syscall")
u64 take_one(void *ctx)
{
	return take();
}

char LICENSE[] SEC("license") = "MIT";
