/* A stack of numbers in segments of a page: an empty segment is freed, but for one, which the next push takes. */
#include "cases.h"

ARENA_OF(32);

u32 page_bytes = 4096;

struct segment {
	struct segment __arena *below;
	u64 values[];
};

struct segment __arena *__arena top;
struct segment __arena *__arena spare;
u32 __arena used;
u64 __arena depth;

static u32 capacity(void)
{
	return (page_bytes - sizeof(struct segment)) / sizeof(u64);
}

/* Of many commands: a number below 2^63 is pushed, one above asks for a pop and gets what was there. */
struct commands {
	u64 count;
	u64 values[60];
};

#define POP (1ull << 63)
#define NOTHING (~0ull)

static int push(u64 value)
{
	if (!top || used == capacity()) {
		struct segment __arena *fresh = spare;

		if (fresh)
			spare = NULL;
		else
			fresh = pages(&arena, 1);
		if (!fresh)
			return 1;
		fresh->below = top;
		top = fresh;
		used = 0;
	}
	top->values[used++] = value;
	depth++;
	return 0;
}

static u64 pop(void)
{
	u64 value;

	if (!top)
		return NOTHING;
	value = top->values[--used];
	depth--;
	if (used == 0) {
		struct segment __arena *empty = top;

		top = empty->below;
		used = top ? capacity() : 0;
		if (spare)
			bpf_arena_free_pages(&arena, (void __arena *)spare, 1);
		spare = empty;
	}
	return value;
}

SEC("syscall")
int run(struct commands *commands)
{
	for (u32 i = 0; i < 60 && i < commands->count && can_loop; i++) {
		if (commands->values[i] == POP)
			commands->values[i] = pop();
		else if (push(commands->values[i]))
			return i + 1;
	}
	return 0;
}

/* Pushes numbers from the first one on. Returns how many there was room for. */
SEC("syscall")
u64 fill(const u64 *range)
{
	u64 i, count = range[1];

	for (i = 0; i < count && can_loop; i++)
		if (push(range[0] + i))
			break;
	return i;
}

char LICENSE[] SEC("license") = "MIT";
