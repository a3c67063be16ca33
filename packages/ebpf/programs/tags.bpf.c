/* A kfunc whose arguments are tagged as arena pointers, and a helper that gets the map. */
#include "arena.h"

ARENA_OF(4);

#define __arg_arena __attribute__((btf_decl_tag("arg:arena")))
#define __arg_nullable __attribute__((btf_decl_tag("arg:nullable")))

extern void vm_look(u64 one __arg_arena, u64 plain, u64 other __arg_arena __arg_nullable) __ksym;

static long (*const take_map)(void *map) = (void *)1;

SEC("syscall")
int look(const u64 *values)
{
	vm_look(values[0], values[1], values[2]);
	return 0;
}

SEC("syscall")
int map(void *ctx)
{
	take_map(&arena);
	return 0;
}

char LICENSE[] SEC("license") = "MIT";
