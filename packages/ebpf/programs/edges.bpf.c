/* Division, sign extension and byte order: what the compiler makes of them in ISA v4. */
#include "arena.h"

struct edges {
	u64 a, b;
	u64 udiv, umod, udiv32, umod32;
	s64 sdiv, smod, sdiv32, smod32;
	s64 sign8, sign16, sign32;
	s64 load8, load16, load32;
	u64 swap16, swap32, swap64;
	u64 product, left, right;
	s64 arithmetic;
};

SEC("syscall")
int run(struct edges *e)
{
	u64 a = e->a, b = e->b;

	e->udiv = a / b;
	e->umod = a % b;
	e->udiv32 = (u32)a / (u32)b;
	e->umod32 = (u32)a % (u32)b;
	e->sdiv = (s64)a / (s64)b;
	e->smod = (s64)a % (s64)b;
	e->sdiv32 = (s32)a / (s32)b;
	e->smod32 = (s32)a % (s32)b;
	e->sign8 = (s8)a;
	e->sign16 = (s16)a;
	e->sign32 = (s32)a;
	e->load8 = *(volatile s8 *)&e->a;
	e->load16 = *(volatile s16 *)&e->a;
	e->load32 = *(volatile s32 *)&e->a;
	e->swap16 = __builtin_bswap16(a);
	e->swap32 = __builtin_bswap32(a);
	e->swap64 = __builtin_bswap64(a);
	e->product = a * b;
	e->left = a << (b & 63);
	e->right = a >> (b & 63);
	e->arithmetic = (s64)a >> (b & 63);
	return 0;
}

char LICENSE[] SEC("license") = "MIT";
