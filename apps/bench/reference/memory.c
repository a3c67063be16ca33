/* One flat memory, its free frames, and the life of a root. */
#include "pagetable.h"

#include <stdlib.h>
#include <string.h>

int memory_open(struct page_tables *pt, uint32_t frames)
{
	size_t bytes = (size_t)frames << PAGE_SHIFT;

	*pt = (struct page_tables){ .frames = frames, .root = NO_FRAME, .pfn_limit = UINT64_C(1) << 40 };
	/* Aligned to a block of the host, as the other variants' memory is. */
	pt->memory = aligned_alloc((size_t)1 << PMD_SHIFT, (bytes + ((1 << PMD_SHIFT) - 1)) >> PMD_SHIFT << PMD_SHIFT);
	pt->live = calloc(frames, sizeof(*pt->live));
	pt->free = malloc(frames * sizeof(*pt->free));
	if (!pt->memory || !pt->live || !pt->free)
		return -ENOMEM;
	/* Touch it once, so that no measurement includes a page fault of the host. */
	memset(pt->memory, 0xff, bytes);
	memset(pt->live, 0, frames * sizeof(*pt->live));
	for (uint32_t i = 0; i < frames; i++)
		pt->free[i] = frames - 1 - i;
	pt->free_count = frames;
	return 0;
}

void memory_close(struct page_tables *pt)
{
	free(pt->memory);
	free(pt->live);
	free(pt->free);
}

/* A table, or NO_FRAME. It is zeroed unless the caller fills it. */
uint32_t table_new(struct page_tables *pt, bool is_filled)
{
	if (pt->free_count == 0)
		return NO_FRAME;
	uint32_t frame = pt->free[--pt->free_count];

	if (!is_filled)
		memset(table_at(pt, frame), 0, (size_t)1 << PAGE_SHIFT);
	pt->live[frame] = 0;
	pt->made++;
	return frame;
}

void table_free(struct page_tables *pt, uint32_t frame)
{
	pt->free[pt->free_count++] = frame;
}

int root_new(struct page_tables *pt)
{
	pt->root = table_new(pt, false);
	pt->made = 0;
	return pt->root == NO_FRAME ? -ENOMEM : 0;
}

static void free_below(struct page_tables *pt, uint32_t frame, unsigned shift)
{
	const uint64_t *table = table_at(pt, frame);

	for (size_t i = ENTRIES; shift > PAGE_SHIFT && i-- > 0;)
		if ((table[i] & (P | PS)) == P)
			free_below(pt, (uint32_t)frame_of(table[i]), shift - 9);
	table_free(pt, frame);
}

/* Frees all tables, last ones first, so that the next round takes the same frames again. */
void tables_destroy(struct page_tables *pt)
{
	free_below(pt, pt->root, PGD_SHIFT);
	pt->root = NO_FRAME;
}

/* True unless all pages from an address on are in one half of the canonical addresses. */
bool range_is_bad(uint64_t va, uint64_t pages)
{
	uint64_t last = va + (pages << PAGE_SHIFT) - 1;

	return pages == 0 || pages > UINT64_C(1) << (47 - PAGE_SHIFT) || va & ((1 << PAGE_SHIFT) - 1) ||
	       !is_canonical(va) || !is_canonical(last) || (va ^ last) >> 63;
}
