/*
 * What a run cost: a record in the checkpoint, and on request the same figures for people and
 * scripts. Times are microseconds of the monotonic clock.
 */
#include "core/statistics.h"

#include "stats.pb-c.h"

#define STATS(X)                                                                              \
	X(look_us)                                                                            \
	X(freeze_us) X(frozen_us) X(memory_us) X(tasks) X(threads) X(mappings) X(descriptors) \
		X(pages_looked_at) X(pages_saved) X(pages_shared) X(pages_zero) X(bytes_written)

int statistics_dump(struct dump *d)
{
	Stats m = STATS__INIT;
	struct image *i;
	int r;

	d->stats.tasks = d->tree.task.n;
	d->stats.threads = d->tree.thread.n;
#define COPY(name)                                                                                 \
	m.has_##name = true;                                                                       \
	m.name = d->stats.name;
	STATS(COPY)
#undef COPY
	r = image_create(d->set, "stats", &i);
	r = r ?: image_append(i, 0, &m.base);
	return r ?: image_finish(i);
}

void statistics_print(const struct stats *s, FILE *out)
{
#define PRINT(name) (void)fprintf(out, "%s: %lu\n", #name, s->name);
	STATS(PRINT)
#undef PRINT
	(void)fprintf(out, "total_us: %lu\n", s->total_us);
}

void statistics_print_restore(const struct restore *r, FILE *out)
{
	(void)fprintf(out, "tasks: %zu\nthreads: %zu\n", r->tree.task.n, r->tree.thread.n);
	(void)fprintf(out, "fork_us: %lu\ntotal_us: %lu\n", r->stats.fork_us, r->stats.total_us);
}
