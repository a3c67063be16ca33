/*
 * Page tables of x86-64 with four levels, in plain C11. The speed command compares its times with these.
 *
 * By hand, in this folder:
 *
 *   cc -std=c11 -O3 -o ./reference *.c
 *   ./reference W1.fresh,W4 262144 1 7 24 300     # workloads, pages, seed, rounds, rounds and milliseconds to warm up
 *
 * WORKLOADS is a list of ids, or of their parts before the dot, separated by commas; `all` is every one. Each prints one line
 * of JSON, see main.c.
 *
 * The tables are in one flat memory of 4 KiB frames, as a kernel sees them through its direct map. The checks are the library's:
 * a range must be canonical, and the slots of an existing table must be empty before a run is written. Every table has a count
 * of its entries. As in the library, a new table is zeroed unless the call fills it with leaves, and a table that is unmapped
 * from end to end is cleared without reading its entries. The 32-bit frames of a list cannot reach the limit, so they are not
 * compared with it. A refused call leaves no mapping (its new tables stay, empty). There is no lock and no flush. Blocks are not
 * split: a range that ends inside one is refused.
 */
#ifndef PAGETABLE_H
#define PAGETABLE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOINLINE __attribute__((noinline))

enum { PAGE_SHIFT = 12, PMD_SHIFT = 21, PUD_SHIFT = 30, PGD_SHIFT = 39, ENTRIES = 512 };

/* Bits of an entry: Intel SDM volume 3A, chapter "Paging". */
#define P UINT64_C(0x1)
#define RW UINT64_C(0x2)
#define US UINT64_C(0x4)
#define A UINT64_C(0x20)
#define D UINT64_C(0x40)
#define PS UINT64_C(0x80)
#define G UINT64_C(0x100)
#define NX (UINT64_C(1) << 63)
#define ADDRESS UINT64_C(0x000ffffffffff000)
#define TABLE (P | RW | US | A | D)
#define PAGE_KERNEL (P | RW | A | D | G | NX)

#define NO_FRAME UINT32_MAX

struct page_tables {
	uint64_t *memory; /* the first frame */
	uint32_t frames;
	uint32_t *live; /* per frame: entries in use, where it is a table */
	uint32_t *free; /* a stack of free frames */
	uint32_t free_count;
	uint32_t made; /* tables made since the root */
	uint32_t root;
	uint64_t pfn_limit; /* frames at or above it do not fit the format */
};

static inline uint64_t *table_at(const struct page_tables *pt, uint32_t frame)
{
	return pt->memory + (size_t)frame * ENTRIES;
}

/* The table that an entry points to. */
static inline uint64_t *table_of(const struct page_tables *pt, uint64_t entry)
{
	return pt->memory + (entry & ADDRESS) / sizeof(uint64_t);
}

/* The count of the table that a slot is in. */
static inline uint32_t *live_of(const struct page_tables *pt, const uint64_t *slot)
{
	return pt->live + (size_t)(slot - pt->memory) / ENTRIES;
}

/* The frame in an entry: up to 40 bits. */
static inline int64_t frame_of(uint64_t entry)
{
	return (int64_t)((entry & ADDRESS) >> PAGE_SHIFT);
}

static inline size_t slot_of(uint64_t va, unsigned shift)
{
	return va >> shift & (ENTRIES - 1);
}

static inline bool is_canonical(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* memory.c */
int memory_open(struct page_tables *pt, uint32_t frames);
void memory_close(struct page_tables *pt);
uint32_t table_new(struct page_tables *pt, bool is_filled);
void table_free(struct page_tables *pt, uint32_t frame);
int root_new(struct page_tables *pt);
void tables_destroy(struct page_tables *pt);
bool range_is_bad(uint64_t va, uint64_t pages);

/* map.c: addresses in bytes, counts in base pages. 0, or an errno below 0. */
int map_frames(struct page_tables *pt, uint64_t va, const uint32_t *pfns, size_t pages, uint64_t prot);
int map_linear(struct page_tables *pt, uint64_t va, uint64_t pfn, size_t pages, uint64_t prot, unsigned max_shift);
int map_page(struct page_tables *pt, uint64_t va, uint64_t pfn, uint64_t prot);
int prepare(struct page_tables *pt, uint64_t va, size_t pages);

/* change.c */
int unmap_range(struct page_tables *pt, uint64_t va, size_t pages);
int64_t unmap_page(struct page_tables *pt, uint64_t va);
int protect_range(struct page_tables *pt, uint64_t va, size_t pages, uint64_t clear, uint64_t set);

/* translate.c: a frame, or -1 */
struct cursor {
	const struct page_tables *pt;
	uint64_t region; /* va >> PMD_SHIFT of the table; all ones: no table */
	const uint64_t *table;
};

int64_t translate(const struct page_tables *pt, uint64_t va);
int64_t translate_near(struct cursor *cursor, uint64_t va);
size_t translate_many(const struct page_tables *pt, const uint64_t *vas, size_t count, double *pfns, uint8_t *shifts);
uint64_t leaf_entry(const struct page_tables *pt, uint64_t va);

#endif
