/*
 * Accesses to pages that are not there: by the program itself, by a subprogram, and by a callback. The context has how far behind the
 * start of the arena.
 */
#include "cases.h"

ARENA_OF(16);

static long (*const bpf_loop)(u32 count, void *callback, void *context, u64 flags) = (void *)181;

u64 user_start;

#define PLACE(offset) ((byte_t *)(user_start + (offset)))

SEC("syscall")
u64 fault_read(const u64 *offset)
{
	return WORD(PLACE(*offset));
}

SEC("syscall")
u64 fault_write(const u64 *offset)
{
	WORD(PLACE(*offset)) = 5;
	return 0;
}

static __noinline u32 in_subprogram(u64 offset)
{
	WORD(PLACE(offset)) = 6;
	return WORD(PLACE(offset));
}

SEC("syscall")
u64 fault_in_subprogram(const u64 *offset)
{
	return in_subprogram(*offset);
}

static int in_callback(u32 index, u64 *offset)
{
	WORD(PLACE(*offset + index)) = 7;
	return 0;
}

SEC("syscall")
u64 fault_in_callback(const u64 *offset)
{
	u64 mine = *offset;

	return bpf_loop(2, in_callback, &mine, 0);
}

char LICENSE[] SEC("license") = "MIT";
