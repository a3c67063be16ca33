/* A kfunc that gets five pointers of an arena, and one that gets two, either of which may be NULL, between numbers. */
#include "cases.h"

ARENA_OF(8);

#define __arg_arena __attribute__((btf_decl_tag("arg:arena")))
#define __arg_nullable __attribute__((btf_decl_tag("arg:nullable")))

extern u64 vm_five(u64 a __arg_arena, u64 b __arg_arena, u64 c __arg_arena, u64 d __arg_arena, u64 e __arg_arena) __ksym;
extern u64 vm_mixed(u64 number, u64 a __arg_arena __arg_nullable, u64 other, u64 b __arg_arena __arg_nullable,
		    u64 c __arg_arena) __ksym;

SEC("syscall")
u64 five(const u64 *at)
{
	return vm_five(at[0], at[1], at[2], at[3], at[4]);
}

SEC("syscall")
u64 mixed(const u64 *at)
{
	return vm_mixed(at[0], at[1], at[2], at[3], at[4]);
}

/* Its own pointers: to a page that is there, and to the one behind it, which is not. */
SEC("syscall")
u64 own(u64 *out)
{
	byte_t *page = pages(&arena, 1);
	u64 result;

	if (!page)
		return 1;
	result = vm_five((u64)page, (u64)page + 4, (u64)page + 8, (u64)page + *out, (u64)page + *out + 4);
	NOTE(WORD(page));
	NOTE(WORD(page + 4));
	NOTE(WORD(page + 8));
	return result;
}

char LICENSE[] SEC("license") = "MIT";
