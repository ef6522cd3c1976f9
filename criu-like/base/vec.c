/* The only non-inline part of the growing array: doubling. Old storage stays in the arena. */
#include "vec.h"

void *vec_reserve(struct arena *a, void *v, size_t n, size_t *cap, size_t elem_bytes)
{
	size_t want = *cap ? *cap * 2 : 8;

	if (n < *cap)
		return v;
	v = arena_grow(a, v, n * elem_bytes, want * elem_bytes);
	*cap = want;
	return v;
}
