/* Free ranges of addresses as Linux keeps them: an augmented red-black tree, also linked in address order. */
#ifndef AREAS_H
#define AREAS_H

#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t start, end; /* in pages */
	uint64_t longest; /* pages of the longest range in the subtree of this one */
	struct range *left, *right, *parent;
	struct range *next, *previous; /* a ring through the tree's anchor */
	uint32_t is_red;
};

struct free_space {
	struct range *root;
	struct range anchor;
	struct range *pool; /* nodes; `next` links the erased ones */
	struct range *erased;
	size_t used, capacity;
};

#define NO_PLACE UINT64_MAX

/* One range of all pages. 0, or ENOMEM. */
int free_space_open(struct free_space *space, uint64_t pages, size_t capacity);
void free_space_close(struct free_space *space);

/* The lowest range that fits, or NO_PLACE. */
uint64_t free_space_take(struct free_space *space, uint64_t size, uint64_t vstart, uint64_t vend);
void free_space_give(struct free_space *space, uint64_t start, uint64_t end);

/* Copies one to another of the same capacity. */
void free_space_copy(struct free_space *to, const struct free_space *from);

#endif
