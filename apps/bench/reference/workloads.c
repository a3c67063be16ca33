/* The timed calls, the steps before and after them, and the values in the checksum: as in src/speed/workloads. */
#define _POSIX_C_SOURCE 200809L
#include "workloads.h"

#include "inputs.h"

#include <stdlib.h>
#include <time.h>

enum { CHUNK = 4096 };

uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Start and end of a timed piece. A round may have several. */
static void begin(struct bench *b)
{
	b->pt.made = 0;
	b->start = now();
}

static void end(struct bench *b)
{
	b->ns += now() - b->start;
	b->tables += b->pt.made;
}

static void must(int error)
{
	if (error)
		fail("a call was refused");
}

/* Folds the frames and leaf sizes of all translations of the range, in order. `found` pages must be mapped. */
static uint32_t fold_range(struct bench *b, size_t step, size_t found)
{
	static uint64_t vas[CHUNK];
	static double pfns[CHUNK];
	static uint8_t shifts[CHUNK];
	uint32_t sum = 0;

	for (size_t at = 0, n; at < b->pages; at += n * step) {
		n = (b->pages - at + step - 1) / step;
		if (n > CHUNK)
			n = CHUNK;
		for (size_t i = 0; i < n; i++)
			vas[i] = BASE + ((uint64_t)(at + i * step) << PAGE_SHIFT);
		found -= translate_many(&b->pt, vas, n, pfns, shifts);
		for (size_t i = 0; i < n; i++)
			sum = fold(fold(sum, (uint32_t)(int64_t)pfns[i]), shifts[i]);
	}
	if (found != 0)
		fail("the number of mapped pages is wrong");
	return sum;
}

static void map_all(struct bench *b)
{
	must(map_frames(&b->pt, BASE, b->pfns, b->pages, PAGE_KERNEL));
}

static void open_empty(struct bench *b)
{
	(void)b;
}

static void open_prepared(struct bench *b)
{
	must(root_new(&b->pt));
	must(prepare(&b->pt, BASE, b->pages));
}

static void open_mapped(struct bench *b)
{
	must(root_new(&b->pt));
	map_all(b);
}

/* Maps into an empty root: the call makes all tables. */
static uint32_t into_empty_root(struct bench *b, void (*map)(struct bench *))
{
	must(root_new(&b->pt));
	begin(b);
	map(b);
	end(b);
	uint32_t sum = fold_range(b, 1, b->units);

	tables_destroy(&b->pt);
	return sum;
}

/* Maps into existing, empty tables. */
static uint32_t into_prepared_tables(struct bench *b, void (*map)(struct bench *))
{
	begin(b);
	map(b);
	end(b);
	uint32_t sum = fold_range(b, 1, b->units);

	must(unmap_range(&b->pt, BASE, b->pages));
	return sum;
}

static uint32_t map_fresh(struct bench *b)
{
	return into_empty_root(b, map_all);
}

static uint32_t map_existing(struct bench *b)
{
	return into_prepared_tables(b, map_all);
}

static uint32_t map_adjacent(struct bench *b, unsigned shift)
{
	must(root_new(&b->pt));
	begin(b);
	must(map_linear(&b->pt, BASE, UINT64_C(1) << 18, b->pages, PAGE_KERNEL, shift));
	end(b);
	uint32_t sum = fold_range(b, (size_t)1 << (shift - PAGE_SHIFT), b->units);

	tables_destroy(&b->pt);
	return sum;
}

static uint32_t map_pages(struct bench *b)
{
	return map_adjacent(b, PAGE_SHIFT);
}

static uint32_t map_2m(struct bench *b)
{
	return map_adjacent(b, PMD_SHIFT);
}

static uint32_t map_1g(struct bench *b)
{
	return map_adjacent(b, PUD_SHIFT);
}

static uint32_t unmap_all(struct bench *b)
{
	map_all(b);
	begin(b);
	must(unmap_range(&b->pt, BASE, b->pages));
	end(b);
	return fold_range(b, 1, 0);
}

static uint32_t translate_each(struct bench *b)
{
	uint32_t sum = 0;
	begin(b);

	for (size_t i = 0; i < b->units; i++)
		sum = fold(sum, (uint32_t)translate(&b->pt, b->vas[i]));
	end(b);
	return sum;
}

static uint32_t translate_by_cursor(struct bench *b)
{
	struct cursor cursor = { .pt = &b->pt, .region = UINT64_MAX };
	uint32_t sum = 0;
	begin(b);

	for (size_t i = 0; i < b->units; i++)
		sum = fold(sum, (uint32_t)translate_near(&cursor, b->vas[i]));
	end(b);
	return sum;
}

static uint32_t translate_batch(struct bench *b)
{
	uint32_t sum = 0;
	begin(b);
	size_t found = translate_many(&b->pt, b->vas, b->units, b->out_pfns, b->out_shifts);

	end(b);
	if (found != b->units)
		fail("a page is missing");
	for (size_t i = 0; i < b->units; i++)
		sum = fold(fold(sum, (uint32_t)(int64_t)b->out_pfns[i]), b->out_shifts[i]);
	return sum;
}

static void map_singly(struct bench *b)
{
	for (size_t i = 0; i < b->units; i++)
		must(map_page(&b->pt, b->vas[i], b->pfns[i], PAGE_KERNEL));
}

static void open_singles(struct bench *b)
{
	must(root_new(&b->pt));
	map_singly(b);
}

static uint32_t map_singles(struct bench *b)
{
	return into_prepared_tables(b, map_singly);
}

static uint32_t map_singles_fresh(struct bench *b)
{
	return into_empty_root(b, map_singly);
}

static uint32_t unmap_singles(struct bench *b)
{
	uint32_t sum = 0;

	map_singly(b);
	begin(b);
	for (size_t i = 0; i < b->units; i++)
		sum = fold(sum, (uint32_t)unmap_page(&b->pt, b->vas[i]));
	end(b);
	return fold(sum, fold_range(b, 1, 0));
}

static uint32_t unmap_pages_at(struct bench *b)
{
	map_singly(b);
	begin(b);
	for (size_t i = 0; i < b->units; i++)
		unmap_page(&b->pt, b->vas[i]);
	end(b);
	return fold_range(b, 1, 0);
}

/* Folds each frame, and whether it is writable. */
static uint32_t fold_rights(struct bench *b, uint32_t sum)
{
	for (size_t i = 0; i < b->pages; i++) {
		uint64_t entry = leaf_entry(&b->pt, BASE + ((uint64_t)i << PAGE_SHIFT));

		sum = fold(fold(sum, (uint32_t)frame_of(entry)), (entry & RW) != 0);
	}
	return sum;
}

/* Read-only and back: a round changes every entry twice. Reading each entry cools the caches, so only checked rounds do it. */
static uint32_t protect_twice(struct bench *b)
{
	begin(b);
	must(protect_range(&b->pt, BASE, b->pages, RW | D, 0));
	end(b);
	uint32_t sum = b->is_checked ? fold_rights(b, 0) : 0;

	begin(b);
	must(protect_range(&b->pt, BASE, b->pages, 0, RW));
	end(b);
	return b->is_checked ? fold_rights(b, sum) : 0;
}

/* Numbers from the seed alone: Marsaglia's xorshift, as in src/speed/workloads/areas.ts. */
static uint32_t draw(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

enum { MOST_PAGES = 64, FIRST_PAGE = 1 << 20, LEAST_WINDOW = 1 << 24 };

static void open_areas(struct bench *b, size_t live)
{
	struct areas *a = &b->areas;
	uint32_t state = b->seed | 1;

	/* 64 GiB, or twice the pages that this many areas of the largest size take, if that is more. */
	a->live = live;
	a->vend = 2 * (uint64_t)live * MOST_PAGES;
	a->vend = FIRST_PAGE + (a->vend > LEAST_WINDOW ? a->vend : LEAST_WINDOW);
	a->starts_at = calloc(live, sizeof(*a->starts_at));
	a->starts = calloc(live, sizeof(*a->starts));
	a->sizes_at = calloc(live, sizeof(*a->sizes_at));
	a->sizes = calloc(live, sizeof(*a->sizes));
	a->found = calloc(b->units, sizeof(*a->found));
	if (!a->starts_at || !a->starts || !a->sizes_at || !a->sizes || !a->found ||
	    free_space_open(&a->start, UINT64_C(1) << 52, 2 * live + 16) ||
	    free_space_open(&a->now, UINT64_C(1) << 52, 2 * live + 16))
		fail("out of memory");
	for (size_t i = 0; i < live; i++) {
		a->sizes_at[i] = 1 + draw(&state) % MOST_PAGES;
		a->starts_at[i] = free_space_take(&a->start, a->sizes_at[i], FIRST_PAGE, a->vend);
	}
	/* Make holes first: free half of the areas and allocate them again. */
	for (size_t i = 0; i < live; i += 2)
		free_space_give(&a->start, a->starts_at[i], a->starts_at[i] + a->sizes_at[i]);
	for (size_t i = 0; i < live; i += 2) {
		a->sizes_at[i] = 1 + draw(&state) % MOST_PAGES;
		a->starts_at[i] = free_space_take(&a->start, a->sizes_at[i], FIRST_PAGE, a->vend);
	}
}

static void open_tenth(struct bench *b)
{
	open_areas(b, b->units / 10 + 1);
}

static void open_tenfold(struct bench *b)
{
	open_areas(b, b->units * 10);
}

static uint32_t replace_areas(struct bench *b)
{
	struct areas *a = &b->areas;
	uint32_t state = ~b->seed | 1;
	size_t steps = b->units / 2;
	uint32_t sum = 0;

	free_space_copy(&a->now, &a->start);
	for (size_t i = 0; i < a->live; i++) {
		a->starts[i] = a->starts_at[i];
		a->sizes[i] = a->sizes_at[i];
	}
	begin(b);
	for (size_t i = 0; i < steps; i++) {
		size_t which = draw(&state) % a->live;
		uint32_t size = 1 + draw(&state) % MOST_PAGES;
		uint64_t start = a->starts[which];

		free_space_give(&a->now, start, start + a->sizes[which]);
		start = free_space_take(&a->now, size, FIRST_PAGE, a->vend);
		a->starts[which] = start;
		a->sizes[which] = size;
		a->found[i] = (uint32_t)(start - FIRST_PAGE);
	}
	end(b);
	for (size_t i = 0; i < steps; i++)
		sum = fold(sum, a->found[i]);
	return sum;
}

const struct workload WORKLOADS[] = {
	{ "W1.fresh", 1, 1, PAGE_SHIFT, 1, 1, false, open_empty, map_fresh },
	{ "W1.existing", 1, 1, PAGE_SHIFT, 1, 1, false, open_prepared, map_existing },
	{ "W1L", 1, 1, PAGE_SHIFT, 1, 1, false, open_empty, map_pages },
	{ "W2.2M", 1, 1, PMD_SHIFT, 1, 1, false, open_empty, map_2m },
	{ "W2.1G", 1, 16, PUD_SHIFT, 1, 1, false, open_empty, map_1g },
	{ "W3", 1, 1, PAGE_SHIFT, 1, 1, false, open_prepared, unmap_all },
	{ "W4.random", 1, 1, PAGE_SHIFT, 1, 1, false, open_mapped, translate_each },
	{ "W4.sequential", 1, 1, PAGE_SHIFT, 1, 1, false, open_mapped, translate_each },
	{ "W4.cursor", 1, 1, PAGE_SHIFT, 1, 1, false, open_mapped, translate_by_cursor },
	{ "W4.batch", 1, 1, PAGE_SHIFT, 1, 1, false, open_mapped, translate_batch },
	{ "W4.batch-sequential", 1, 1, PAGE_SHIFT, 1, 1, false, open_mapped, translate_batch },
	{ "W5.map-prepared", 1, 4, PAGE_SHIFT, 1, 16, false, open_prepared, map_singles },
	{ "W5.map-fresh", 1, 4, PAGE_SHIFT, 1, 16, false, open_empty, map_singles_fresh },
	{ "W5.translate", 1, 4, PAGE_SHIFT, 1, 16, false, open_singles, translate_each },
	{ "W5.unmap", 1, 4, PAGE_SHIFT, 1, 16, false, open_prepared, unmap_singles },
	/* The area's calls check their arguments, then do the same. */
	{ "W5.area-map", 1, 4, PAGE_SHIFT, 1, 16, false, open_prepared, map_singles },
	{ "W5.area-unmap", 1, 4, PAGE_SHIFT, 1, 16, false, open_prepared, unmap_pages_at },
	{ "W6", 1, 1, PAGE_SHIFT, 2, 1, true, open_mapped, protect_twice },
	{ "W7.10k", 100000, 262144, PAGE_SHIFT, 1, 1, false, open_tenth, replace_areas },
	{ "W7.1M", 100000, 262144, PAGE_SHIFT, 1, 1, false, open_tenfold, replace_areas },
	{ "W8.1G", 1, 1, PAGE_SHIFT, 1, 1, false, open_empty, map_fresh },
	{ "W8.16G", 16, 1, PAGE_SHIFT, 1, 1, false, open_empty, map_fresh },
	{ "W8.256G", 256, 1, PAGE_SHIFT, 1, 1, false, open_empty, map_fresh },
};
const size_t WORKLOAD_COUNT = sizeof(WORKLOADS) / sizeof(WORKLOADS[0]);
