/* What a run cost, for the checkpoint and for people. */
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
