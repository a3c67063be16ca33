/* A list whose elements come from pages that count theirs: a page is freed with its last element. */
#include "cases.h"

ARENA_OF(100);

u32 page_bytes = 4096;

struct element {
	struct element __arena *next;
	u64 value;
};

/* At the start of each page, as large as an element. */
struct page {
	struct element __arena *unused;
	u64 used;
};

struct element __arena *__arena head;
/* The page that new elements come from. */
struct page __arena *__arena current;
u64 __arena arena_sum;
u64 list_sum;

static struct page __arena *page_of(struct element __arena *one)
{
	return (struct page __arena *)((u64)one & ~(u64)(page_bytes - 1));
}

static struct page __arena *new_page(void)
{
	struct page __arena *page = pages(&arena, 1);
	struct element __arena *all = (struct element __arena *)page;
	struct element __arena *unused = NULL;

	if (!page)
		return NULL;
	for (u32 i = page_bytes / sizeof(*all) - 1; i > 0 && can_loop; i--) {
		all[i].next = unused;
		unused = &all[i];
	}
	page->unused = unused;
	page->used = 0;
	return page;
}

static struct element __arena *allocate(void)
{
	struct element __arena *one;

	if (!current || !current->unused)
		current = new_page();
	if (!current)
		return NULL;
	one = current->unused;
	current->unused = one->next;
	current->used++;
	return one;
}

static void release(struct element __arena *one)
{
	struct page __arena *page = page_of(one);

	one->next = page->unused;
	page->unused = one;
	if (--page->used)
		return;
	if (page == current)
		current = NULL;
	bpf_arena_free_pages(&arena, (void __arena *)page, 1);
}

SEC("syscall")
int add_all(const u64 *count)
{
	u64 n = *count;

	for (u64 i = 0; i < n && can_loop; i++) {
		struct element __arena *one = allocate();

		if (!one)
			return 1;
		one->value = i;
		one->next = head;
		head = one;
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
u64 delete_all(void *ctx)
{
	u64 deleted = 0;

	while (head && can_loop) {
		struct element __arena *one = head;

		head = one->next;
		release(one);
		deleted++;
	}
	return deleted;
}

char LICENSE[] SEC("license") = "MIT";
