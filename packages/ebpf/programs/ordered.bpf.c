/*
 * Load-acquire and store-release of 8 to 64 bits in an arena, and atomic operations on a page that was freed. No assembler of clang 19
 * knows the first two by name: an instruction has its opcode, its registers, an offset of 16 bits and its operation.
 */
#include "cases.h"

ARENA_OF(10);

u8 __arena value8 = 0x12;
u16 __arena value16 = 0x1234;
u32 __arena value32 = 0x12345678;
u64 __arena value64 = 0x1234567890abcdefull;
u8 __arena stored8;
u16 __arena stored16;
u32 __arena stored32;
u64 __arena stored64;

/* r0 is what is at r1. A conversion to a plain pointer is a cast to the kernel. */
#define LOAD_ACQUIRE(opcode, from)                                                            \
	({                                                                                    \
		u64 loaded;                                                                   \
		asm volatile("r1 = %1; .byte " opcode "; .byte 0x10; .short 0; .long 0x100; %0 = r0" \
			     : "=r"(loaded)                                                   \
			     : "r"((void *)(from))                                            \
			     : "r0", "r1", "memory");                                         \
		loaded;                                                                       \
	})

/* r0 is stored at r1. */
#define STORE_RELEASE(opcode, to, value)                                                      \
	asm volatile("r1 = %0; r0 = %1; .byte " opcode "; .byte 0x01; .short 0; .long 0x110"  \
		     :                                                                        \
		     : "r"((void *)(to)), "r"((u64)(value))                                   \
		     : "r0", "r1", "memory")

SEC("syscall")
int load_acquire(u64 *out)
{
	NOTE(LOAD_ACQUIRE("0xd3", &value8));
	NOTE(LOAD_ACQUIRE("0xcb", &value16));
	NOTE(LOAD_ACQUIRE("0xc3", &value32));
	NOTE(LOAD_ACQUIRE("0xdb", &value64));
	return 0;
}

SEC("syscall")
int store_release(u64 *out)
{
	u64 value = *out;

	STORE_RELEASE("0xd3", &stored8, value);
	STORE_RELEASE("0xcb", &stored16, value);
	STORE_RELEASE("0xc3", &stored32, value);
	STORE_RELEASE("0xdb", &stored64, value);
	NOTE(stored8);
	NOTE(stored16);
	NOTE(stored32);
	NOTE(stored64);
	return 0;
}

SEC("syscall")
int use_after_free(u64 *out)
{
	u64 __arena *page = pages(&arena, 1);
	u32 __arena *half = (u32 __arena *)page + 2;

	NOTE(page);
	if (!page)
		return 1;
	*page = 5;
	bpf_arena_free_pages(&arena, (void __arena *)page, 1);
	NOTE(__sync_fetch_and_add(page, 1));
	NOTE(__sync_fetch_and_sub(half, 1));
	NOTE(__sync_fetch_and_and(page, 1));
	NOTE(__sync_fetch_and_or(half, 1));
	NOTE(__sync_fetch_and_xor(page, 1));
	NOTE(__sync_val_compare_and_swap(half, 0, 5));
	NOTE(__sync_lock_test_and_set(page, 2));
	NOTE(LOAD_ACQUIRE("0xdb", page));
	STORE_RELEASE("0xdb", page, 9);
	NOTE(*(volatile u64 __arena *)page);
	return 0;
}

char LICENSE[] SEC("license") = "MIT";
