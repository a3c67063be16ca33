#include "inputs.h"

struct scatter scatter_of(uint32_t below, uint32_t seed, enum stream stream)
{
	unsigned bits = 2;

	while (bits < 32 && below > UINT32_C(1) << bits)
		bits++;
	return (struct scatter){
		.mask = UINT32_MAX >> (32 - bits),
		.below = below,
		.start = seed * UINT32_C(0x9e3779b9) + (uint32_t)stream * UINT32_C(0x85ebca6b),
		.half = (bits + 1) / 2,
	};
}

/*
 * Each step permutes the numbers below 2^bits: a product with an odd number, a sum, an exclusive or with the number's own
 * upper half. A result that is too large goes through the steps again, so that the whole is a permutation below any bound.
 */
uint32_t scatter_at(const struct scatter *scatter, uint32_t index)
{
	uint32_t x = index;

	do {
		x = (x * UINT32_C(0x2c1b3c6d) + scatter->start) & scatter->mask;
		x ^= x >> scatter->half;
		x = (x * UINT32_C(0x297a2d39)) & scatter->mask;
		x ^= x >> scatter->half;
		x = (x * UINT32_C(0x1b56c4e9)) & scatter->mask;
		x ^= x >> scatter->half;
	} while (x >= scatter->below);
	return x;
}
