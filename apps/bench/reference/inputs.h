/* Frames and addresses of the workloads, from the seed alone; the same sequences as in src/speed/scatter.ts. */
#ifndef INPUTS_H
#define INPUTS_H

#include <stddef.h>
#include <stdint.h>

/* The use of a sequence. Each use has its own order. */
enum stream { FRAMES = 1, ADDRESSES = 2, PLACES = 3 };

/* The numbers 0 to below - 1 in a random order. */
struct scatter {
	uint32_t mask, below, start;
	unsigned half;
};

struct scatter scatter_of(uint32_t below, uint32_t seed, enum stream stream);
uint32_t scatter_at(const struct scatter *scatter, uint32_t index);

/* A number that depends on all results and their order. */
static inline uint32_t fold(uint32_t sum, uint32_t value)
{
	return sum * 31 + value;
}

#endif
