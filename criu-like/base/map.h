#pragma once
#include <stddef.h>
#include <stdint.h>

#include "arena.h"

/* A hash map from a pair of 64-bit numbers to a pointer; in an arena, nothing is ever removed. */
struct map_key {
	uint64_t a, b;
};
struct map_slot {
	struct map_key key;
	void *value; /* NULL: free slot */
};
struct map {
	struct arena *arena;
	struct map_slot *slot;
	size_t n, cap;
};

void map_init(struct map *m, struct arena *a);
void *map_get(const struct map *m, uint64_t a, uint64_t b);
/* Sets or replaces. The value must not be NULL. */
void map_put(struct map *m, uint64_t a, uint64_t b, void *value);
