/* Software walks. */
#include "pagetable.h"

/* The frame of an address inside a leaf of 2^shift bytes. */
static inline int64_t frame_in(uint64_t entry, uint64_t va, unsigned shift)
{
	uint64_t inside = (UINT64_C(1) << shift) - 1;

	return (int64_t)((((entry & ADDRESS) & ~inside) | (va & inside)) >> PAGE_SHIFT);
}

/*
 * The frame of an address, -1 when it is not mapped. shift: log2 of the leaf's bytes, 0 without a leaf.
 * table: the table of the last level, NULL when the walk ended above it.
 */
static inline int64_t walk(const struct page_tables *pt, uint64_t va, uint8_t *shift, const uint64_t **table)
{
	const uint64_t *at = table_at(pt, pt->root);

	*shift = 0;
	*table = NULL;
	if (!is_canonical(va))
		return -1;
	uint64_t entry = at[slot_of(va, PGD_SHIFT)];

	if (!(entry & P))
		return -1;
	entry = table_of(pt, entry)[slot_of(va, PUD_SHIFT)];
	if ((entry & (P | PS)) != P) {
		if (!(entry & P))
			return -1;
		*shift = PUD_SHIFT;
		return frame_in(entry, va, PUD_SHIFT);
	}
	entry = table_of(pt, entry)[slot_of(va, PMD_SHIFT)];
	if ((entry & (P | PS)) != P) {
		if (!(entry & P))
			return -1;
		*shift = PMD_SHIFT;
		return frame_in(entry, va, PMD_SHIFT);
	}
	*table = table_of(pt, entry);
	entry = (*table)[slot_of(va, PAGE_SHIFT)];
	if (!(entry & P))
		return -1;
	*shift = PAGE_SHIFT;
	return frame_of(entry);
}

NOINLINE int64_t translate(const struct page_tables *pt, uint64_t va)
{
	const uint64_t *table;
	uint8_t shift;

	return walk(pt, va, &shift, &table);
}

NOINLINE int64_t translate_near(struct cursor *cursor, uint64_t va)
{
	uint8_t shift;

	if (cursor->region == va >> PMD_SHIFT) {
		uint64_t entry = cursor->table[slot_of(va, PAGE_SHIFT)];

		return entry & P ? frame_of(entry) : -1;
	}
	int64_t pfn = walk(cursor->pt, va, &shift, &cursor->table);

	cursor->region = cursor->table ? va >> PMD_SHIFT : UINT64_MAX;
	return pfn;
}

NOINLINE size_t translate_many(const struct page_tables *pt, const uint64_t *vas, size_t count, double *pfns, uint8_t *shifts)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		const uint64_t *table;
		uint8_t shift;
		int64_t pfn = walk(pt, vas[i], &shift, &table);

		pfns[i] = (double)pfn;
		shifts[i] = shift;
		found += pfn >= 0;
	}
	return found;
}

/* The entry of a base page, for the checks outside of the timing; 0 without one. */
uint64_t leaf_entry(const struct page_tables *pt, uint64_t va)
{
	const uint64_t *table;
	uint8_t shift;

	return walk(pt, va, &shift, &table) < 0 || !table ? 0 : table[slot_of(va, PAGE_SHIFT)];
}
