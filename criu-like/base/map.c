/* Open addressing with linear probing; the table doubles at half load. */
#include "map.h"

static uint64_t hash(uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ (b * 0x9e3779b97f4a7c15ULL)) * 0xbf58476d1ce4e5b9ULL;

	h ^= h >> 31;
	h *= 0x94d049bb133111ebULL;
	return h ^ (h >> 29);
}

static struct map_slot *find(struct map_slot *slot, size_t cap, uint64_t a, uint64_t b)
{
	size_t i = hash(a, b) & (cap - 1);

	while (slot[i].value && (slot[i].key.a != a || slot[i].key.b != b))
		i = (i + 1) & (cap - 1);
	return &slot[i];
}

void map_init(struct map *m, struct arena *a)
{
	*m = (struct map){ .arena = a };
}

void *map_get(const struct map *m, uint64_t a, uint64_t b)
{
	return m->cap ? find(m->slot, m->cap, a, b)->value : NULL;
}

static void grow(struct map *m)
{
	size_t cap = m->cap ? m->cap * 2 : 64;
	struct map_slot *slot = arena_array(m->arena, struct map_slot, cap);

	for (size_t i = 0; i < m->cap; i++)
		if (m->slot[i].value)
			*find(slot, cap, m->slot[i].key.a, m->slot[i].key.b) = m->slot[i];
	m->slot = slot;
	m->cap = cap;
}

void map_put(struct map *m, uint64_t a, uint64_t b, void *value)
{
	struct map_slot *s;

	if (m->n * 2 >= m->cap)
		grow(m);
	s = find(m->slot, m->cap, a, b);
	if (!s->value)
		m->n++;
	*s = (struct map_slot){ { a, b }, value };
}
