/* A bump allocator: blocks of any alignment, one behind the other, from runs of pages that grow with the request. All are freed at once. */
#include "cases.h"

ARENA_OF(64);

u32 page_bytes = 4096;

/* At the start of each run. */
struct run {
	struct run __arena *older;
	u64 pages;
};

struct run __arena *__arena newest;
u64 __arena next;
u64 __arena end;

struct request {
	u64 bytes;
	u64 align;
	u64 result;
};

static u64 aligned(u64 value, u64 align)
{
	return (value + align - 1) & ~(align - 1);
}

SEC("syscall")
int allocate(struct request *request)
{
	u64 at = aligned(next, request->align);

	request->result = 0;
	if (!request->bytes || !request->align || (request->align & (request->align - 1)) != 0)
		return 1;
	if (!newest || at < next || at + request->bytes > end) {
		u64 wanted = sizeof(struct run) + request->align - 1 + request->bytes;
		u64 count = (wanted + page_bytes - 1) / page_bytes;
		struct run __arena *run = pages(&arena, count);

		if (!run)
			return 2;
		run->older = newest;
		run->pages = count;
		newest = run;
		end = (u64)run + count * page_bytes;
		at = aligned((u64)run + sizeof(struct run), request->align);
	}
	request->result = at;
	next = at + request->bytes;
	return 0;
}

SEC("syscall")
int release_all(void *ctx)
{
	while (newest && can_loop) {
		struct run __arena *run = newest;

		newest = run->older;
		bpf_arena_free_pages(&arena, run, run->pages);
	}
	next = 0;
	end = 0;
	return 0;
}

char LICENSE[] SEC("license") = "MIT";
