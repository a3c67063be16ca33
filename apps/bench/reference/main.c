/*
 * reference WORKLOADS PAGES SEED ROUNDS WARM-UPS MILLISECONDS
 *
 * One line of JSON for each workload: its id, units (pages, leaves, translations or operations timed in one round), the `tables` that the
 * timed calls of one round make, the checksum, and the nanoseconds of each round after the warm-up. The warm-up has at least WARM-UPS
 * rounds and lasts at least MILLISECONDS. Exit code 1 when a result is wrong or rounds differ.
 */
#include "inputs.h"
#include "workloads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first mapped frame. The choice has no effect. */
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

/* An id, or its part before the dot. */
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

/* The wanted leaves, or as many as the window has room for: a power of two, as in src/speed/size.ts. */
static size_t units_of(const struct workload *w, size_t pages)
{
	size_t wanted = pages * w->multiply / w->divide;
	size_t room = (size_t)(WINDOW >> w->leaf_shift);
	size_t power = 1;

	if (wanted <= room)
		return wanted;
	while (2 * power <= room)
		power *= 2;
	return power;
}

/* The length of a measurement. */
struct plan {
	size_t rounds;
	size_t warm_ups;
	uint64_t warm_up_ns;
};

static void measure(const struct workload *w, size_t pages, uint32_t seed, struct plan plan)
{
	struct bench b = { .seed = seed, .units = units_of(w, pages) };
	uint32_t checksum = 0, tables = 0;
	uint64_t *ns = array(plan.rounds, sizeof(*ns));

	b.pages = (b.units * w->spread) << (w->leaf_shift - PAGE_SHIFT);
	/* At each level below the root: the tables that cover the range, and one more at its ends. */
	size_t frames = 8;

	for (unsigned shift = w->leaf_shift + 9; shift <= PGD_SHIFT; shift += 9)
		frames += (b.pages >> (shift - PAGE_SHIFT)) + 2;
	inputs(&b, w);
	if (memory_open(&b.pt, (uint32_t)frames))
		fail("out of memory");
	w->open(&b);
	uint64_t start = now();

	for (size_t i = 0, counted = 0; counted < plan.rounds; i++) {
		bool is_warm = i >= plan.warm_ups && now() - start >= plan.warm_up_ns;

		b.is_checked = i == 0 || (is_warm && counted == plan.rounds - 1);
		b.ns = 0;
		b.tables = 0;
		uint32_t sum = w->round(&b);

		if (i == 0) {
			checksum = sum;
			tables = b.tables;
		}
		bool is_equal = sum == checksum || (w->is_rarely_checked && !b.is_checked);

		if (!is_equal || b.tables != tables)
			fail("equal rounds gave different results");
		if (is_warm)
			ns[counted++] = b.ns;
	}
	printf("{\"workload\":\"%s\",\"units\":%zu,\"tables\":%u,\"checksum\":%u,\"ns\":[", w->id, b.units * w->calls, tables,
	       checksum);
	for (size_t i = 0; i < plan.rounds; i++)
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

static const char USAGE[] = "usage: reference WORKLOADS PAGES SEED ROUNDS WARM-UPS MILLISECONDS";

static size_t number(const char *text, size_t min, size_t max)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < min || value > max)
		fail(USAGE);
	return (size_t)value;
}

int main(int count, char **argument)
{
	if (count != 7)
		fail(USAGE);
	size_t pages = number(argument[2], 8, (size_t)1 << 20);
	uint32_t seed = (uint32_t)number(argument[3], 0, UINT32_MAX);
	struct plan plan = {
		.rounds = number(argument[4], 1, 10000),
		.warm_ups = number(argument[5], 0, 10000),
		.warm_up_ns = (uint64_t)number(argument[6], 0, 60000) * 1000000,
	};

	for (size_t i = 0; i < WORKLOAD_COUNT; i++)
		if (is_wanted(WORKLOADS[i].id, argument[1]))
			measure(&WORKLOADS[i], pages, seed, plan);
	return 0;
}
