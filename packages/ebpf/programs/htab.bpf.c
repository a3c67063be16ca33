/* A hash table with chains in an arena. Keys are replaced, found and deleted by a list of commands. */
#include "arena.h"

ARENA_OF(100);

#define BUCKETS 256

struct entry {
	struct entry __arena *next;
	u32 key;
	u32 value;
};

struct command {
	u32 kind; /* 0 put, 1 get, 2 delete */
	u32 key;
	u32 value;
	u32 found;
};

struct entry __arena *__arena buckets[BUCKETS];
static struct entry __arena *__arena unused;
u32 entries;
u32 page_bytes = 4096;

static __noinline u32 hash(u32 key)
{
	key ^= key >> 16;
	key *= 0x85ebca6b;
	key ^= key >> 13;
	key *= 0xc2b2ae35;
	return (key ^ key >> 16) % BUCKETS;
}

static int refill(void)
{
	struct entry __arena *page = pages(&arena, 1);

	if (!page)
		return -1;
	for (u32 i = 0; i < page_bytes / sizeof(*page) && can_loop; i++) {
		page[i].next = unused;
		unused = &page[i];
	}
	return 0;
}

static int put(u32 key, u32 value)
{
	struct entry __arena *__arena *at = &buckets[hash(key)];
	struct entry __arena *one;

	for (one = *at; one && can_loop; one = one->next) {
		if (one->key == key) {
			one->value = value;
			return 0;
		}
	}
	if (!unused && refill())
		return -1;
	one = unused;
	unused = one->next;
	one->key = key;
	one->value = value;
	one->next = *at;
	*at = one;
	entries++;
	return 1;
}

static int get(struct command *command)
{
	for (struct entry __arena *one = buckets[hash(command->key)]; one && can_loop; one = one->next) {
		if (one->key == command->key) {
			command->value = one->value;
			return 1;
		}
	}
	return 0;
}

static int drop(u32 key)
{
	struct entry __arena *__arena *at = &buckets[hash(key)];

	while (*at && can_loop) {
		struct entry __arena *one = *at;

		if (one->key == key) {
			*at = one->next;
			one->next = unused;
			unused = one;
			entries--;
			return 1;
		}
		at = &one->next;
	}
	return 0;
}

SEC("syscall")
int run(struct command *command)
{
	int found;

	if (command->kind == 0)
		found = put(command->key, command->value);
	else if (command->kind == 1)
		found = get(command);
	else
		found = drop(command->key);
	command->found = found;
	return found < 0;
}

char LICENSE[] SEC("license") = "MIT";
