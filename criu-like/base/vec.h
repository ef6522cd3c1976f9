#pragma once
#include <stdlib.h>

#include "arena.h"

/*
 * A growing array in an arena. Declare it as `struct { type *v; size_t n, cap; } name;`
 * (VEC(type)). vec_push() makes room and yields a pointer to the new, zeroed element.
 */
#define VEC(type) struct { type *v; size_t n, cap; }

void *vec_reserve(struct arena *a, void *v, size_t n, size_t *cap, size_t elem_bytes);

#define vec_push(a, vec)                                                                           \
	((vec)->v = vec_reserve((a), (vec)->v, (vec)->n, &(vec)->cap, sizeof(*(vec)->v)),          \
	 &(vec)->v[(vec)->n++])
#define vec_foreach(it, vec)                                                                       \
	for (typeof((vec)->v[0]) *it = (vec)->v; it && it < (vec)->v + (vec)->n; it++)

/* By a comparison as for qsort(3), which must not see the NULL of an empty vector. */
#define vec_sort(vec, compare)                                                              \
	((vec)->n ? qsort((vec)->v, (vec)->n, sizeof(*(vec)->v), (compare)) : (void)0)
