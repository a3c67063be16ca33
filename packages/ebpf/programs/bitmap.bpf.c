/* A bitmap in the arena: bits are set and cleared by atomic operations, so that of two who want one bit, one gets it. */
#include "cases.h"

ARENA_OF(8);

#define BITS 1000
#define WORDS ((BITS + 63) / 64)

u64 __arena words[WORDS];

struct request {
	u64 kind;
	u64 bit;
	u64 result;
};

enum { SET, CLEAR, TEST, TAKE, COUNT, NEXT };

static u32 ones(u64 word)
{
	word -= (word >> 1) & 0x5555555555555555ull;
	word = (word & 0x3333333333333333ull) + ((word >> 2) & 0x3333333333333333ull);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (word * 0x0101010101010101ull) >> 56;
}

/* The lowest set bit of a word that is not 0. */
static u32 lowest(u64 word)
{
	return ones((word & -word) - 1);
}

/* Sets the lowest clear bit of all. */
static u64 take(void)
{
	for (u32 i = 0; i < WORDS && can_loop; i++) {
		u64 word = words[i];

		while (word != ~0ull && can_loop) {
			u64 bit = 1ull << lowest(~word);
			u64 old;

			if (i * 64 + lowest(~word) >= BITS)
				break;
			old = __sync_fetch_and_or(&words[i], bit);
			if ((old & bit) == 0)
				return i * 64 + lowest(bit);
			word = old;
		}
	}
	return BITS;
}

/* The first set bit from one on. */
static u64 next_set(u64 bit)
{
	for (; bit < BITS && can_loop; bit = (bit | 63) + 1) {
		u64 word = words[bit / 64] >> (bit & 63);

		if (word)
			return bit + lowest(word);
	}
	return BITS;
}

SEC("syscall")
int run(struct request *request)
{
	u64 bit = request->bit, mask = 1ull << (bit & 63);
	u64 count = 0;

	if (bit >= BITS)
		return 1;
	switch (request->kind) {
	case SET:
		request->result = (__sync_fetch_and_or(&words[bit / 64], mask) & mask) != 0;
		break;
	case CLEAR:
		request->result = (__sync_fetch_and_and(&words[bit / 64], ~mask) & mask) != 0;
		break;
	case TEST:
		request->result = (words[bit / 64] & mask) != 0;
		break;
	case TAKE:
		request->result = take();
		break;
	case COUNT:
		for (u32 i = 0; i < WORDS && can_loop; i++)
			count += ones(words[i]);
		request->result = count;
		break;
	case NEXT:
		request->result = next_set(bit);
		break;
	default:
		return 2;
	}
	return 0;
}

/* Takes bits until none is left, and counts them. For several processors at once. */
u64 __arena taken[4];
u32 __arena takers;

SEC("syscall")
int take_all(void *ctx)
{
	u32 me = __sync_fetch_and_add(&takers, 1) & 3;

	while (take() != BITS && can_loop)
		taken[me]++;
	return 0;
}

char LICENSE[] SEC("license") = "MIT";
