/* Maps: one walk for each table, then a loop over its slots. */
#include "pagetable.h"

/* The table below a slot. Makes one when the slot is empty. NULL: no memory, or the slot holds a block. */
static inline uint64_t *table_below(struct page_tables *pt, uint64_t *table, size_t slot, bool is_filled, bool *is_new,
				    int *error)
{
	uint64_t entry = table[slot];

	if ((entry & (P | PS)) == P) {
		*is_new = false;
		return table_of(pt, entry);
	}
	if (entry != 0) {
		*error = -EBUSY;
		return NULL;
	}
	uint32_t frame = table_new(pt, is_filled);

	if (frame == NO_FRAME) {
		*error = -ENOMEM;
		return NULL;
	}
	table[slot] = (uint64_t)frame << PAGE_SHIFT | TABLE;
	++*live_of(pt, table);
	*is_new = true;
	return table_at(pt, frame);
}

/* The table with the leaves of 2^shift bytes of an address; is_filled: the caller writes every slot of it. */
static inline uint64_t *table_for(struct page_tables *pt, uint64_t va, unsigned shift, bool is_filled, bool *is_new,
				  int *error)
{
	uint64_t *table = table_at(pt, pt->root);

	for (unsigned at = PGD_SHIFT; table && at > shift; at -= 9)
		table = table_below(pt, table, slot_of(va, at), is_filled && at - 9 == shift, is_new, error);
	return table;
}

/* Reads eight at a time, as the library does: in a single chain, each OR waits for the one before. */
static inline bool is_used(const uint64_t *slots, size_t count)
{
	uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
	size_t i = 0;

	for (; i + 8 <= count; i += 8) {
		a |= slots[i];
		b |= slots[i + 1];
		c |= slots[i + 2];
		d |= slots[i + 3];
		e |= slots[i + 4];
		f |= slots[i + 5];
		g |= slots[i + 6];
		h |= slots[i + 7];
	}
	for (; i < count; i++)
		a |= slots[i];
	return (a | b | c | d | e | f | g | h) != 0;
}

/* Leaves over adjacent frames, four at a time: each is a sum of its own, so that no store waits for three others.
 * (gcc 12 at -O3 compiles four sums in an array to wrong code.) */
static inline void write_linear(uint64_t *slots, size_t count, uint64_t entry, uint64_t step)
{
	size_t i = 0;

	for (; i + 4 <= count; i += 4, entry += 4 * step) {
		slots[i] = entry;
		slots[i + 1] = entry + step;
		slots[i + 2] = entry + 2 * step;
		slots[i + 3] = entry + 3 * step;
	}
	for (; i < count; i++, entry += step)
		slots[i] = entry;
}

static inline size_t run_length(uint64_t va, unsigned shift, size_t left)
{
	size_t room = ENTRIES - slot_of(va, shift);

	return room < left ? room : left;
}

int map_frames(struct page_tables *pt, uint64_t va, const uint32_t *pfns, size_t pages, uint64_t prot)
{
	size_t done = 0;
	int error = 0;

	if (range_is_bad(va, pages))
		return -ERANGE;
	/* Most formats accept all frames of 32 bits. Those need no check. */
	if (pt->pfn_limit <= UINT32_MAX)
		for (size_t i = 0; i < pages; i++)
			if (pfns[i] >= pt->pfn_limit)
				return -EINVAL;
	while (done < pages) {
		uint64_t at = va + ((uint64_t)done << PAGE_SHIFT);
		bool is_new = false;
		size_t run = run_length(at, PAGE_SHIFT, pages - done);
		uint64_t *table = table_for(pt, at, PAGE_SHIFT, run == ENTRIES, &is_new, &error);

		if (!table)
			break;
		uint64_t *slots = table + slot_of(at, PAGE_SHIFT);

		if (!is_new && is_used(slots, run)) {
			error = -EBUSY;
			break;
		}
		for (size_t i = 0; i < run; i++)
			slots[i] = (uint64_t)pfns[done + i] << PAGE_SHIFT | prot;
		*live_of(pt, table) += (uint32_t)run;
		done += run;
	}
	if (error && done > 0)
		unmap_range(pt, va, done);
	return error;
}

/* The largest leaf that the address, the frame and the rest of the range allow. */
static inline unsigned leaf_shift(uint64_t va, uint64_t pfn, size_t left, unsigned max_shift)
{
	for (unsigned shift = max_shift; shift > PAGE_SHIFT; shift -= 9) {
		uint64_t pages = UINT64_C(1) << (shift - PAGE_SHIFT);

		if ((((va >> PAGE_SHIFT) | pfn) & (pages - 1)) == 0 && left >= pages)
			return shift;
	}
	return PAGE_SHIFT;
}

int map_linear(struct page_tables *pt, uint64_t va, uint64_t pfn, size_t pages, uint64_t prot, unsigned max_shift)
{
	size_t done = 0;
	int error = 0;

	if (range_is_bad(va, pages))
		return -ERANGE;
	if (pfn + pages > pt->pfn_limit)
		return -EINVAL;
	while (done < pages) {
		uint64_t at = va + ((uint64_t)done << PAGE_SHIFT);
		unsigned shift = leaf_shift(at, pfn + done, pages - done, max_shift);
		bool is_new = false;
		size_t run = run_length(at, shift, (pages - done) >> (shift - PAGE_SHIFT));
		uint64_t *table = table_for(pt, at, shift, run == ENTRIES, &is_new, &error);

		if (!table)
			break;
		uint64_t *slots = table + slot_of(at, shift);
		uint64_t entry = (pfn + done) << PAGE_SHIFT | prot | (shift > PAGE_SHIFT ? PS : 0);

		if (!is_new && is_used(slots, run)) {
			error = -EBUSY;
			break;
		}
		write_linear(slots, run, entry, UINT64_C(1) << shift);
		*live_of(pt, table) += (uint32_t)run;
		done += run << (shift - PAGE_SHIFT);
	}
	if (error && done > 0)
		unmap_range(pt, va, done);
	return error;
}

NOINLINE int map_page(struct page_tables *pt, uint64_t va, uint64_t pfn, uint64_t prot)
{
	bool is_new = false;
	int error = 0;

	if (!is_canonical(va) || va & ((1 << PAGE_SHIFT) - 1))
		return -ERANGE;
	if (pfn >= pt->pfn_limit)
		return -EINVAL;
	uint64_t *table = table_for(pt, va, PAGE_SHIFT, false, &is_new, &error);

	if (!table)
		return error;
	uint64_t *slot = table + slot_of(va, PAGE_SHIFT);

	if (*slot != 0)
		return -EBUSY;
	*slot = pfn << PAGE_SHIFT | prot;
	++*live_of(pt, table);
	return 0;
}

/* Makes the tables that base pages of a range need. */
int prepare(struct page_tables *pt, uint64_t va, size_t pages)
{
	int error = 0;

	if (range_is_bad(va, pages))
		return -ERANGE;
	for (size_t done = 0; done < pages && !error;) {
		uint64_t at = va + ((uint64_t)done << PAGE_SHIFT);
		bool is_new;

		table_for(pt, at, PAGE_SHIFT, false, &is_new, &error);
		done += run_length(at, PAGE_SHIFT, pages - done);
	}
	return error;
}
