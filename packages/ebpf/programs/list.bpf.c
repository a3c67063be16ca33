/* A singly linked list in an arena: elements come from pages that are cut up. */
#include "arena.h"

ARENA_OF(100);

struct element {
	struct element __arena *next;
	u64 value;
};

struct element __arena *__arena head;
u64 __arena arena_sum;
u64 list_sum;
u32 page_bytes = 4096;
int length;

static struct element __arena *__arena fresh;
static u32 __arena left;

static struct element __arena *new_element(void)
{
	struct element __arena *one;

	if (left == 0) {
		fresh = pages(&arena, 1);
		if (!fresh)
			return NULL;
		left = page_bytes / sizeof(struct element);
	}
	one = fresh;
	fresh = one + 1;
	left--;
	return one;
}

SEC("syscall")
int fill(const u64 *count)
{
	u64 n = *count;

	for (u64 i = 0; i < n && can_loop; i++) {
		struct element __arena *one = new_element();

		if (!one)
			return 1;
		one->value = i;
		one->next = head;
		head = one;
		length++;
	}
	return 0;
}

SEC("syscall")
int sum(void *ctx)
{
	u64 total = 0;

	for (struct element __arena *one = head; one && can_loop; one = one->next)
		total += one->value;
	list_sum = total;
	arena_sum = total;
	return 0;
}

SEC("syscall")
int reverse(void *ctx)
{
	struct element __arena *done = NULL;
	struct element __arena *one = head;

	while (one && can_loop) {
		struct element __arena *next = one->next;

		one->next = done;
		done = one;
		one = next;
	}
	head = done;
	return 0;
}

char LICENSE[] SEC("license") = "MIT";
