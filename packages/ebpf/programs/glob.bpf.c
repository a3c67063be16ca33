/* Searches texts in an arena by a pattern with * and ?. */
#include "arena.h"

ARENA_OF(16);

#define TEXT 64

char __arena pattern[TEXT];
char __arena text[TEXT];

static __noinline int matches(char __arena *t, char __arena *p)
{
	char __arena *back_t = NULL;
	char __arena *back_p = NULL;

	while (can_loop) {
		if (*p == '*') {
			back_p = ++p;
			back_t = t;
		} else if (*t != 0 && (*p == '?' || *p == *t)) {
			p++;
			t++;
		} else if (*t == 0 && *p == 0) {
			return 1;
		} else if (back_p && *back_t != 0) {
			t = ++back_t;
			p = back_p;
		} else {
			return 0;
		}
	}
	return -1;
}

SEC("syscall")
int search(void *ctx)
{
	return matches(text, pattern);
}

char LICENSE[] SEC("license") = "MIT";
