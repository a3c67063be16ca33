/* The workloads that the speed command knows, done by the page tables of this folder. */
#ifndef WORKLOADS_H
#define WORKLOADS_H

#include "areas.h"
#include "pagetable.h"

/* Linux's vmalloc window of 4 levels; as Linux compares its end, it is a byte less than 32 TiB. */
#define BASE UINT64_C(0xffffc90000000000)
#define WINDOW ((UINT64_C(1) << 45) - 1)

/* A workload at work: its sizes, its inputs, its tables. */
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
		uint32_t *found; /* where each request went */
		size_t live;
		uint64_t vend;
	} areas;
	bool is_checked; /* this round is to have a checksum even where making it disturbs the next one */
	uint64_t start; /* of the piece that is being timed */
	uint64_t ns; /* of the round */
	uint32_t tables; /* that its timed calls made */
};

struct workload {
	const char *id;
	size_t multiply, divide; /* units for the pages of the command line */
	unsigned leaf_shift;
	size_t calls; /* timed calls over all units in one round */
	size_t spread; /* base pages of the range for each unit, beside the leaf's own size */
	bool is_rarely_checked; /* only where is_checked asks for it: rounds between have no checksum */
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
