/* The workloads of the speed command, on the page tables of this folder. */
#ifndef WORKLOADS_H
#define WORKLOADS_H

#include "areas.h"
#include "pagetable.h"

/* Linux's vmalloc window with 4 levels. It is one byte shorter than 32 TiB, as Linux compares its end. */
#define BASE UINT64_C(0xffffc90000000000)
#define WINDOW ((UINT64_C(1) << 45) - 1)

/* A running workload: its sizes, its inputs, its tables. */
struct bench {
	struct page_tables pt;
	size_t units; /* pages, leaves, translations or operations of one round */
	size_t pages; /* base pages of the range */
	uint32_t seed;
	uint32_t *pfns;
	uint64_t *vas;
	double *out_pfns;
	uint8_t *out_shifts;
	struct areas {
		struct free_space start, now; /* as they are at the start of each round, and in it */
		uint64_t *starts_at, *starts; /* of live areas, in pages */
		uint32_t *sizes_at, *sizes;
		uint32_t *found; /* the place of each request */
		size_t live;
		uint64_t vend;
	} areas;
	bool is_checked; /* this round has a checksum even if that disturbs the next round */
	uint64_t start; /* of the current timed piece */
	uint64_t ns; /* of the round */
	uint32_t tables; /* made by its timed calls */
};

struct workload {
	const char *id;
	size_t multiply, divide; /* units for the pages of the command line */
	unsigned leaf_shift;
	size_t calls; /* timed calls over all units in one round */
	size_t spread; /* base pages of the range for each unit, beside the leaf's own size */
	bool is_rarely_checked; /* only rounds with is_checked have a checksum */
	void (*open)(struct bench *b);
	uint32_t (*round)(struct bench *b); /* adds to ns and tables, returns the checksum */
};

extern const struct workload WORKLOADS[];
extern const size_t WORKLOAD_COUNT;

/* Nanoseconds of a clock that never goes back. */
uint64_t now(void);

/* Ends the run with a message: a result is wrong or something is missing. */
_Noreturn void fail(const char *what);

#endif
