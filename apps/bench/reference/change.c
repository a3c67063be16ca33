/* Unmaps, and changes permissions. Both skip holes. */
#include "pagetable.h"

#include <string.h>

/*
 * The slot where the walk of an address ends: a leaf, a hole, or a slot of the last level.
 * shift: log2 of the bytes that the slot translates.
 */
static inline uint64_t *slot_for(const struct page_tables *pt, uint64_t va, unsigned *shift)
{
	uint64_t *table = table_at(pt, pt->root);

	for (*shift = PGD_SHIFT; *shift > PAGE_SHIFT; *shift -= 9) {
		uint64_t *slot = table + slot_of(va, *shift);

		if ((*slot & (P | PS)) != P)
			return slot;
		table = table_of(pt, *slot);
	}
	return table + slot_of(va, PAGE_SHIFT);
}

/* True when an address is inside a block, not at its start. */
static bool is_inside_block(const struct page_tables *pt, uint64_t va)
{
	unsigned shift;
	const uint64_t *slot = slot_for(pt, va, &shift);

	return *slot != 0 && (va & ((UINT64_C(1) << shift) - 1)) != 0;
}

static inline bool range_is_refused(const struct page_tables *pt, uint64_t va, size_t pages)
{
	return range_is_bad(va, pages) || is_inside_block(pt, va) ||
	       is_inside_block(pt, va + ((uint64_t)pages << PAGE_SHIFT));
}

static inline uint32_t clear_run(uint64_t *slots, size_t count)
{
	uint64_t live = 0;

	/* The sign of x | -x is set unless x is 0. SSE2 has no 64-bit comparison, but has these operations in vectors. */
	for (size_t i = 0; i < count; i++) {
		live += (slots[i] | -slots[i]) >> 63;
		slots[i] = 0;
	}
	return (uint32_t)live;
}

static inline void protect_run(uint64_t *slots, size_t count, uint64_t clear, uint64_t set)
{
	/* A mask of present entries: gcc does not vectorise a conditional store. */
	for (size_t i = 0; i < count; i++) {
		uint64_t mask = -(slots[i] & P);

		slots[i] = (slots[i] & ~(clear & mask)) | (set & mask);
	}
}

/* Bytes from an address to the end of its slot, or of its run in the last level. slots: the number of slots in them. */
static inline size_t step(uint64_t va, uint64_t end, unsigned shift, size_t *slots)
{
	uint64_t span = UINT64_C(1) << shift;

	*slots = 1;
	if (shift > PAGE_SHIFT)
		return span - (va & (span - 1));
	size_t left = (size_t)((end - va) >> PAGE_SHIFT);
	size_t room = ENTRIES - slot_of(va, PAGE_SHIFT);

	*slots = room < left ? room : left;
	return *slots << PAGE_SHIFT;
}

int unmap_range(struct page_tables *pt, uint64_t va, size_t pages)
{
	if (range_is_refused(pt, va, pages))
		return -EINVAL;
	for (uint64_t left = (uint64_t)pages << PAGE_SHIFT, end = va + left, bytes; left > 0;) {
		unsigned shift;
		size_t slots;
		uint64_t *slot = slot_for(pt, va, &shift);

		bytes = step(va, end, shift, &slots);
		if (bytes > left)
			bytes = left;
		uint32_t *live = live_of(pt, slot);

		if (slots == ENTRIES && *live > 0) {
			memset(slot, 0, ENTRIES * sizeof(*slot));
			*live = 0;
		} else {
			*live -= clear_run(slot, slots);
		}
		va += bytes;
		left -= bytes;
	}
	return 0;
}

int protect_range(struct page_tables *pt, uint64_t va, size_t pages, uint64_t clear, uint64_t set)
{
	if (range_is_refused(pt, va, pages))
		return -EINVAL;
	for (uint64_t left = (uint64_t)pages << PAGE_SHIFT, end = va + left, bytes; left > 0;) {
		unsigned shift;
		size_t slots;
		uint64_t *slot = slot_for(pt, va, &shift);

		bytes = step(va, end, shift, &slots);
		if (bytes > left)
			bytes = left;
		protect_run(slot, slots, clear, set);
		va += bytes;
		left -= bytes;
	}
	return 0;
}

/* The frame that was mapped; -1 for an unmapped page; an errno below -1 for an address inside a block or a non-canonical one. */
NOINLINE int64_t unmap_page(struct page_tables *pt, uint64_t va)
{
	unsigned shift;

	if (!is_canonical(va) || va & ((1 << PAGE_SHIFT) - 1))
		return -ERANGE;
	uint64_t *slot = slot_for(pt, va, &shift);
	uint64_t entry = *slot;

	if (entry == 0)
		return -1;
	if (shift > PAGE_SHIFT)
		return -EINVAL;
	*slot = 0;
	--*live_of(pt, slot);
	return entry & P ? frame_of(entry) : -1;
}
