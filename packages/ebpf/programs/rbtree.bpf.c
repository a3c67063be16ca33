/* A red-black tree whose nodes are in the arena, with links to parents. Nodes that are removed are used again. */
#include "cases.h"

ARENA_OF(32);

u32 page_bytes = 4096;

struct node {
	struct node __arena *child[2];
	struct node __arena *parent;
	u64 key;
	u64 value;
	u64 is_red;
};

typedef struct node __arena *node_t;

node_t __arena root;
node_t __arena unused;
u64 entries;

struct request {
	u64 kind;
	u64 key;
	u64 value;
	u64 result;
};

enum { INSERT, LOOK_UP, REMOVE };

static node_t new_node(void)
{
	node_t one = unused;

	if (!one) {
		u32 count = page_bytes / sizeof(struct node);

		one = pages(&arena, 1);
		if (!one)
			return NULL;
		for (u32 i = 1; i < count && can_loop; i++) {
			one[i].parent = unused;
			unused = &one[i];
		}
		return one;
	}
	unused = one->parent;
	return one;
}

static int side_of(node_t one)
{
	return one->parent->child[1] == one;
}

/* Puts a node where another one is. */
static void replace(node_t old, node_t one)
{
	if (!old->parent)
		root = one;
	else
		old->parent->child[side_of(old)] = one;
	if (one)
		one->parent = old->parent;
}

/* Makes the child of the other side the parent. */
static __noinline void rotate(node_t one, int side)
{
	node_t up = one->child[!side];

	replace(one, up);
	one->child[!side] = up->child[side];
	if (up->child[side])
		up->child[side]->parent = one;
	up->child[side] = one;
	one->parent = up;
}

static node_t find(u64 key)
{
	node_t one = root;

	while (one && one->key != key && can_loop)
		one = one->child[key > one->key];
	return one;
}

static int insert(u64 key, u64 value)
{
	node_t parent = NULL, one;

	for (one = root; one && can_loop; one = one->child[key > one->key]) {
		if (one->key == key) {
			one->value = value;
			return 0;
		}
		parent = one;
	}
	one = new_node();
	if (!one)
		return -1;
	one->child[0] = NULL;
	/* Of two zeros beside each other clang 19 makes one store, and forgets its cast to the kernel. */
	asm volatile("" : : : "memory");
	one->child[1] = NULL;
	one->parent = parent;
	one->key = key;
	one->value = value;
	one->is_red = 1;
	if (!parent)
		root = one;
	else
		parent->child[key > parent->key] = one;
	entries++;
	while (one->parent && one->parent->is_red && can_loop) {
		node_t above, uncle;
		int side;

		parent = one->parent;
		above = parent->parent;
		side = side_of(parent);
		uncle = above->child[!side];
		if (uncle && uncle->is_red) {
			parent->is_red = 0;
			uncle->is_red = 0;
			above->is_red = 1;
			one = above;
			continue;
		}
		if (side_of(one) != side) {
			rotate(parent, side);
			parent = one;
		}
		parent->is_red = 0;
		above->is_red = 1;
		rotate(above, !side);
		break;
	}
	root->is_red = 0;
	return 1;
}

static int is_red(node_t one)
{
	return one && one->is_red;
}

/* Paths through a place below a parent have one black node too few. */
static void mend(node_t one, node_t parent)
{
	while (parent && !is_red(one) && can_loop) {
		int side = parent->child[1] == one;
		node_t other = parent->child[!side];

		if (other->is_red) {
			other->is_red = 0;
			parent->is_red = 1;
			rotate(parent, side);
			other = parent->child[!side];
		}
		if (!is_red(other->child[0]) && !is_red(other->child[1])) {
			other->is_red = 1;
			one = parent;
			parent = one->parent;
			continue;
		}
		if (!is_red(other->child[!side])) {
			other->child[side]->is_red = 0;
			other->is_red = 1;
			rotate(other, !side);
			other = parent->child[!side];
		}
		other->is_red = parent->is_red;
		parent->is_red = 0;
		other->child[!side]->is_red = 0;
		rotate(parent, side);
		one = root;
		break;
	}
	if (one)
		one->is_red = 0;
}

static void remove(node_t one)
{
	node_t child, parent;
	u64 was_red;

	if (one->child[0] && one->child[1]) {
		/* The next larger node leaves its place, and takes this one's. */
		node_t next = one->child[1];

		while (next->child[0] && can_loop)
			next = next->child[0];
		one->key = next->key;
		one->value = next->value;
		one = next;
	}
	child = one->child[0] ? one->child[0] : one->child[1];
	parent = one->parent;
	was_red = one->is_red;
	/* A node without children leaves none: its side is found by its parent. */
	replace(one, child);
	if (!was_red)
		mend(child, parent);
	one->parent = unused;
	unused = one;
	entries--;
}

SEC("syscall")
int run(struct request *request)
{
	node_t one;

	if (request->kind == INSERT) {
		int made = insert(request->key, request->value);

		request->result = made;
		return made < 0;
	}
	one = find(request->key);
	request->result = one != NULL;
	if (!one)
		return 0;
	request->value = one->value;
	if (request->kind == REMOVE)
		remove(one);
	return 0;
}

char LICENSE[] SEC("license") = "MIT";
