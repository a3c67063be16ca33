/*
 * reference WORKLOADS PAGES SEED ROUNDS WARM-UPS
 *
 * One line of JSON for each workload: its id, units (pages, leaves or translations timed in one round), `tables` made below the
 * root until the end of the last round, the checksum, and the nanoseconds of each round after those to warm up. Exit code
 * 1 when a result is wrong or rounds differ.
 */
#include "inputs.h"
#include "workloads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE UINT64_C(0xffffc90000000000)
/* The first frame that is mapped; any would do. */
#define FIRST_FRAME (UINT32_C(1) << 18)

_Noreturn void fail(const char *what)
{
	fprintf(stderr, "reference: %s\n", what);
	exit(1);
}

static void *array(size_t count, size_t size)
{
	void *memory = malloc(count * size + 1);

	if (!memory)
		fail("out of memory");
	return memory;
}

/* An id, or what stands before its dot. */
static bool is_named(const char *id, const char *name, size_t length)
{
	bool is_begun = strncmp(id, name, length) == 0 && (id[length] == '\0' || id[length] == '.');

	return is_begun || (length == 3 && strncmp(name, "all", 3) == 0);
}

static bool is_wanted(const char *id, const char *list)
{
	for (const char *at = list; *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
		if (is_named(id, at, strcspn(at, ",")))
			return true;
	return false;
}

static void inputs(struct bench *b, const struct workload *w)
{
	struct scatter frames = scatter_of((uint32_t)(2 * b->units), b->seed, FRAMES);
	bool is_single = w->spread > 1;
	bool is_sequential = strstr(w->id, "sequential") || strstr(w->id, "cursor");
	struct scatter order = scatter_of((uint32_t)b->pages, b->seed, is_single ? PLACES : ADDRESSES);

	b->pfns = array(b->units, sizeof(*b->pfns));
	for (size_t i = 0; i < b->units; i++)
		b->pfns[i] = FIRST_FRAME + scatter_at(&frames, (uint32_t)i);
	if (!is_single && strncmp(w->id, "W4", 2) != 0)
		return;
	b->vas = array(b->units, sizeof(*b->vas));
	b->out_pfns = array(b->units, sizeof(*b->out_pfns));
	b->out_shifts = array(b->units, 1);
	for (size_t i = 0; i < b->units; i++) {
		uint32_t page = is_sequential ? (uint32_t)i : scatter_at(&order, (uint32_t)i);

		b->vas[i] = BASE + ((uint64_t)page << PAGE_SHIFT);
	}
}

static void measure(const struct workload *w, size_t pages, uint32_t seed, size_t rounds, size_t warm_ups)
{
	struct bench b = { .seed = seed, .units = pages * w->multiply / w->divide };
	uint32_t checksum = 0;
	uint64_t *ns = array(rounds, sizeof(*ns));

	b.pages = (b.units * w->spread) << (w->leaf_shift - PAGE_SHIFT);
	/* One table at each level below the root for what the range covers, and one more at its ends. */
	size_t tables = 8;

	for (unsigned shift = w->leaf_shift + 9; shift <= PGD_SHIFT; shift += 9)
		tables += (b.pages >> (shift - PAGE_SHIFT)) + 2;
	inputs(&b, w);
	if (memory_open(&b.pt, (uint32_t)tables))
		fail("out of memory");
	w->open(&b);
	for (size_t i = 0; i < warm_ups + rounds; i++) {
		uint32_t sum = w->round(&b);

		if (i > 0 && sum != checksum)
			fail("equal rounds gave different results");
		checksum = sum;
		if (i >= warm_ups)
			ns[i - warm_ups] = b.ns;
	}
	printf("{\"workload\":\"%s\",\"units\":%zu,\"tables\":%u,\"checksum\":%u,\"ns\":[", w->id, b.units * w->calls, b.pt.made,
	       checksum);
	for (size_t i = 0; i < rounds; i++)
		printf("%s%llu", i > 0 ? "," : "", (unsigned long long)ns[i]);
	printf("]}\n");
	fflush(stdout);
	memory_close(&b.pt);
	free(b.pfns);
	free(b.vas);
	free(b.out_pfns);
	free(b.out_shifts);
	free(ns);
}

static size_t number(const char *text, size_t min, size_t max)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < min || value > max)
		fail("usage: reference WORKLOADS PAGES SEED ROUNDS WARM-UPS");
	return (size_t)value;
}

int main(int count, char **argument)
{
	if (count != 6)
		fail("usage: reference WORKLOADS PAGES SEED ROUNDS WARM-UPS");
	size_t pages = number(argument[2], 8, (size_t)1 << 20);
	uint32_t seed = (uint32_t)number(argument[3], 0, UINT32_MAX);
	size_t rounds = number(argument[4], 1, 10000);
	size_t warm_ups = number(argument[5], 0, 10000);

	for (size_t i = 0; i < WORKLOAD_COUNT; i++)
		if (is_wanted(WORKLOADS[i].id, argument[1]))
			measure(&WORKLOADS[i], pages, seed, rounds, warm_ups);
	return 0;
}
