/* The search of packages/core/src/area, for requests without a large alignment, written for speed. */
#include "areas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t longest_of(const struct range *node)
{
	uint64_t longest = node->end - node->start;

	if (node->left && node->left->longest > longest)
		longest = node->left->longest;
	if (node->right && node->right->longest > longest)
		longest = node->right->longest;
	return longest;
}

static void propagate(struct range *node, const struct range *stop)
{
	for (; node != stop; node = node->parent) {
		uint64_t longest = longest_of(node);

		if (node->longest == longest)
			return;
		node->longest = longest;
	}
}

static void replace_child(struct free_space *space, struct range *old, struct range *node, struct range *parent)
{
	if (!parent)
		space->root = node;
	else if (parent->left == old)
		parent->left = node;
	else
		parent->right = node;
}

static void finish_rotation(struct free_space *space, struct range *old, struct range *up, uint32_t colour)
{
	up->parent = old->parent;
	up->is_red = old->is_red;
	replace_child(space, old, up, old->parent);
	old->parent = up;
	old->is_red = colour;
	up->longest = old->longest;
	old->longest = longest_of(old);
}

static void rotate_left(struct free_space *space, struct range *old, uint32_t colour)
{
	struct range *up = old->right;

	old->right = up->left;
	if (up->left)
		up->left->parent = old;
	up->left = old;
	finish_rotation(space, old, up, colour);
}

static void rotate_right(struct free_space *space, struct range *old, uint32_t colour)
{
	struct range *up = old->left;

	old->left = up->right;
	if (up->right)
		up->right->parent = old;
	up->right = old;
	finish_rotation(space, old, up, colour);
}

static void balance_inserted(struct free_space *space, struct range *node)
{
	for (;;) {
		struct range *parent = node->parent;

		if (!parent) {
			node->is_red = 0;
			return;
		}
		if (!parent->is_red)
			return;
		struct range *grand = parent->parent;
		struct range *uncle = grand->left == parent ? grand->right : grand->left;

		if (uncle && uncle->is_red) {
			uncle->is_red = parent->is_red = 0;
			grand->is_red = 1;
			node = grand;
			continue;
		}
		if (grand->left == parent) {
			if (parent->right == node)
				rotate_left(space, parent, 1);
			rotate_right(space, grand, 1);
		} else {
			if (parent->left == node)
				rotate_right(space, parent, 1);
			rotate_left(space, grand, 1);
		}
		return;
	}
}

static void insert(struct free_space *space, struct range *parent, int is_right, uint64_t start, uint64_t end)
{
	struct range *node = space->erased;

	if (node)
		space->erased = node->next;
	else
		node = &space->pool[space->used++];
	node->start = start;
	node->end = end;
	node->longest = 0;
	node->left = node->right = NULL;
	node->parent = parent;
	node->is_red = 1;
	struct range *before = !parent ? &space->anchor : is_right ? parent : parent->previous;

	node->previous = before;
	node->next = before->next;
	before->next->previous = node;
	before->next = node;
	if (!parent)
		space->root = node;
	else if (is_right)
		parent->right = node;
	else
		parent->left = node;
	balance_inserted(space, node);
	propagate(node, NULL);
}

static void balance_erased(struct free_space *space, struct range *parent)
{
	struct range *node = NULL;

	for (;;) {
		int is_left = parent->right != node;
		struct range *sibling = is_left ? parent->right : parent->left;

		if (sibling->is_red) {
			if (is_left)
				rotate_left(space, parent, 1);
			else
				rotate_right(space, parent, 1);
			sibling = is_left ? parent->right : parent->left;
			sibling->is_red = 0;
		}
		struct range *far = is_left ? sibling->right : sibling->left;
		struct range *near = is_left ? sibling->left : sibling->right;

		if (!far || !far->is_red) {
			if (!near || !near->is_red) {
				sibling->is_red = 1;
				if (parent->is_red) {
					parent->is_red = 0;
					return;
				}
				node = parent;
				parent = node->parent;
				if (!parent)
					return;
				continue;
			}
			if (is_left)
				rotate_right(space, sibling, 1);
			else
				rotate_left(space, sibling, 1);
			sibling = near;
		}
		if (is_left) {
			sibling->right->is_red = 0;
			rotate_left(space, parent, 0);
		} else {
			sibling->left->is_red = 0;
			rotate_right(space, parent, 0);
		}
		return;
	}
}

static void erase(struct free_space *space, struct range *node)
{
	struct range *rebalance = NULL;

	node->previous->next = node->next;
	node->next->previous = node->previous;
	if (!node->left || !node->right) {
		struct range *only = node->left ? node->left : node->right;

		replace_child(space, node, only, node->parent);
		if (only) {
			only->parent = node->parent;
			only->is_red = node->is_red;
		} else if (!node->is_red) {
			rebalance = node->parent;
		}
		propagate(node->parent, NULL);
	} else {
		struct range *successor = node->right, *above = successor;

		while (successor->left) {
			above = successor;
			successor = successor->left;
		}
		struct range *orphan = successor->right;

		successor->longest = node->longest;
		if (successor != node->right) {
			above->left = orphan;
			successor->right = node->right;
			node->right->parent = successor;
			propagate(above, successor);
		}
		successor->left = node->left;
		node->left->parent = successor;
		replace_child(space, node, successor, node->parent);
		if (orphan) {
			orphan->parent = above;
			orphan->is_red = 0;
		} else if (!successor->is_red) {
			rebalance = above;
		}
		successor->parent = node->parent;
		successor->is_red = node->is_red;
		propagate(successor, NULL);
	}
	if (rebalance)
		balance_erased(space, rebalance);
	node->next = space->erased;
	space->erased = node;
}

static uint64_t longest_in(const struct range *node)
{
	return node ? node->longest : 0;
}

static int is_within(const struct range *node, uint64_t size, uint64_t vstart)
{
	uint64_t start = node->start > vstart ? node->start : vstart;

	return start + size <= node->end;
}

static struct range *lowest_match(const struct free_space *space, uint64_t size, uint64_t vstart)
{
	struct range *node = space->root;

	while (node) {
		if (longest_in(node->left) >= size && vstart < node->start) {
			node = node->left;
			continue;
		}
		if (is_within(node, size, vstart))
			return node;
		if (longest_in(node->right) >= size) {
			node = node->right;
			continue;
		}
		while ((node = node->parent)) {
			if (is_within(node, size, vstart))
				return node;
			if (longest_in(node->right) >= size && vstart <= node->start) {
				vstart = node->start + 1;
				node = node->right;
				break;
			}
		}
	}
	return NULL;
}

uint64_t free_space_take(struct free_space *space, uint64_t size, uint64_t vstart, uint64_t vend)
{
	struct range *node = lowest_match(space, size, vstart);

	if (!node)
		return NO_PLACE;
	uint64_t from = node->start;
	uint64_t start = from > vstart ? from : vstart;
	uint64_t end = start + size;

	if (end > vend)
		return NO_PLACE;
	if (from == start && node->end == end) {
		erase(space, node);
	} else if (from == start) {
		node->start = end;
		propagate(node, NULL);
	} else if (node->end == end) {
		node->end = start;
		propagate(node, NULL);
	} else {
		node->start = end;
		propagate(node, NULL);
		struct range *parent = node;
		int is_right = 0;

		for (struct range *child = node->left; child; child = parent->right) {
			parent = child;
			is_right = 1;
		}
		insert(space, parent, is_right, from, start);
	}
	return start;
}

void free_space_give(struct free_space *space, uint64_t start, uint64_t end)
{
	struct range *parent = NULL;
	int is_right = 0;

	for (struct range *node = space->root; node; node = is_right ? node->right : node->left) {
		parent = node;
		is_right = start >= node->end;
	}
	if (!parent) {
		insert(space, NULL, 0, start, end);
		return;
	}
	struct range *behind = is_right ? parent->next : parent;
	struct range *before = behind->previous;
	struct range *merged = NULL;

	if (behind != &space->anchor && behind->start == end) {
		behind->start = start;
		merged = behind;
	}
	if (before != &space->anchor && before->end == start) {
		uint64_t until = merged ? merged->end : end;

		if (merged)
			erase(space, merged);
		before->end = until;
		merged = before;
	}
	if (merged)
		propagate(merged, NULL);
	else
		insert(space, parent, is_right, start, end);
}

int free_space_open(struct free_space *space, uint64_t pages, size_t capacity)
{
	memset(space, 0, sizeof(*space));
	space->pool = malloc(capacity * sizeof(*space->pool));
	if (!space->pool)
		return ENOMEM;
	space->capacity = capacity;
	space->anchor.next = space->anchor.previous = &space->anchor;
	insert(space, NULL, 0, 1, pages - 1);
	return 0;
}

void free_space_close(struct free_space *space)
{
	free(space->pool);
}

static struct range *moved(struct range *node, const struct free_space *from, struct free_space *to)
{
	if (!node)
		return NULL;
	return node == &from->anchor ? &to->anchor : to->pool + (node - from->pool);
}

void free_space_copy(struct free_space *to, const struct free_space *from)
{
	to->root = moved(from->root, from, to);
	to->erased = moved(from->erased, from, to);
	to->used = from->used;
	to->anchor.next = moved(from->anchor.next, from, to);
	to->anchor.previous = moved(from->anchor.previous, from, to);
	for (size_t i = 0; i < from->used; i++) {
		const struct range *node = &from->pool[i];

		to->pool[i] = *node;
		to->pool[i].left = moved(node->left, from, to);
		to->pool[i].right = moved(node->right, from, to);
		to->pool[i].parent = moved(node->parent, from, to);
		to->pool[i].next = moved(node->next, from, to);
		to->pool[i].previous = moved(node->previous, from, to);
	}
}
