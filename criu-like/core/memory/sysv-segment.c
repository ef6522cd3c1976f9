/*
 * The list of the segments that the tree has attached. The number of a mapping's inode is the id of
 * the segment, its name the key that it was made with. shm_nattch counts mappings, so that a
 * segment mapped in two parts counts twice.
 */
#include "core/memory/sysv-segment.h"

#include "core/memory/memory-dump.h"

void sysv_segment_seen(struct dump *d, const struct sysv_segment *first)
{
	struct memory *m = memory_state(d);

	vec_foreach(s, &m->sysv) {
		if ((*s)->shmid != first->shmid)
			continue;
		(*s)->attached++;
		return;
	}
	*vec_push(&d->arena, &m->sysv) = arena_new(&d->arena, struct sysv_segment);
	*m->sysv.v[m->sysv.n - 1] = *first;
	m->sysv.v[m->sysv.n - 1]->attached = 1;
}

size_t sysv_segments(struct dump *d, struct sysv_segment *const **ret)
{
	*ret = memory_state(d)->sysv.v;
	return memory_state(d)->sysv.n;
}
