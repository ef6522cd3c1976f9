/*
 * The tree view of a checkpoint for people: when and where it was made, every task below its parent
 * with its command line, threads, memory and descriptors, the sizes of the images. Text from the
 * checkpoint is printed with control characters made visible: it may come from anywhere.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "show.h"

enum { DEPTH_MAX = 40 };

static const char *const state_name[] = { "", "zombie", "leader has exited" };

static void print_text(struct span s, FILE *out)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == 0x7f)
			(void)fprintf(out, "\\%03o",
				      c); /* the stream is looked at once, at the end */
		else
			(void)putc(c, out);
	}
}

/* One argument; in quotes where it could be mistaken. */
static void print_argument(struct span s, FILE *out)
{
	bool plain = s.len;

	for (size_t i = 0; i < s.len; i++)
		plain = plain && !strchr(" \t\n'\"\\$`", s.p[i]);
	(void)fputs(plain ? "" : "'", out);
	print_text(s, out);
	(void)fputs(plain ? "" : "'", out);
}

static void print_command_line(const struct show *s, const Task *t, FILE *out)
{
	struct span all, one;

	int r = show_arguments(s, t, &all);

	/* Programs that call themselves otherwise (setproctitle) fill the rest with zeros. */
	while (!r && all.len > 1 && !all.p[all.len - 1] && !all.p[all.len - 2])
		all.len--;
	if (r || !all.p[0]) {
		(void)putc('[', out);
		print_text((struct span){ (char *)t->comm.data,
					  strnlen((char *)t->comm.data, t->comm.len) }, out);
		(void)putc(']', out);
		return;
	}
	while (all.len) {
		if (!span_cut(&all, 0, &one)) {
			one = all;
			all.len = 0;
		}
		print_argument(one, out);
		if (all.len)
			(void)putc(' ', out);
	}
}

static void print_size(uint64_t bytes, FILE *out)
{
	if (bytes < 10 * 1024)
		(void)fprintf(out, "%" PRIu64 " bytes", bytes);
	else if (bytes < 10ull << 20)
		(void)fprintf(out, "%" PRIu64 " KiB", bytes >> 10);
	else
		(void)fprintf(out, "%" PRIu64 " MiB", bytes >> 20);
}

static void print_descriptors(const struct show *s, const Task *t, unsigned int indent, FILE *out)
{
	const Task *first = show_first_with_table(s, t);
	const FdTable *table = first ? (const FdTable *)show_get(&s->fd_table, t->files) : NULL;

	if (table && first != t) {
		(void)fprintf(out, "%*sdescriptors: those of %u\n", indent, "", show_pid(first));
		return;
	}
	for (size_t i = 0; table && i < table->n_entry; i++) {
		const FdEntry *e = table->entry[i];
		const Ofd *o = (const Ofd *)show_get(&s->ofd, e->ofd);

		(void)fprintf(out, "%*s%4u %-10s ", indent, "", e->number, o ? o->kind : "?");
		print_text(span_of(o ? show_descriptor_text(s, o, e->ofd) : "?"), out);
		(void)putc('\n', out);
	}
}

static void print_task(const struct show *s, const struct show_place *at, FILE *out)
{
	unsigned int indent = 2 * (at->depth < DEPTH_MAX ? at->depth : DEPTH_MAX);
	const Task *t = at->task;
	const Creds *c = show_creds(s, t);

	(void)fprintf(out, "%*s%u ", indent, "", show_pid(t));
	print_command_line(s, t, out);
	(void)putc('\n', out);
	indent += 4;
	(void)fprintf(out, "%*s", indent, "");
	if (t->state != TASK__STATE__ALIVE && t->state < array_size(state_name))
		(void)fprintf(out, "%s, ", state_name[t->state]);
	if (t->has_stop_signal && t->stop_signal)
		(void)fprintf(out, "stopped, ");
	if (c)
		(void)fprintf(out, "uid %u, ", c->uid[0]);
	(void)fprintf(out, "%zu thread%s, ", t->n_thread, t->n_thread == 1 ? "" : "s");
	print_size(show_pages(s, t) * s->head->page_size, out);
	(void)fprintf(out, " of memory\n");
	print_descriptors(s, t, indent, out);
}

static void print_world(const struct show *s, FILE *out)
{
	if (s->world.n)
		(void)fprintf(out, "\nbeside the tasks\n");
	vec_foreach(line, &s->world) {
		(void)fputs("    ", out);
		print_text(span_of(*line), out);
		(void)putc('\n', out);
	}
}

static void print_head(const Head *h, FILE *out)
{
	time_t when = (time_t)h->time_s;
	char text[64] = "?";
	struct tm tm;

	if (gmtime_r(&when, &tm))
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	(void)fprintf(out, "checkpoint of process %d, %s\n  by torpor ", h->root_pid, text);
	print_text(span_of(h->tool_version), out);
	(void)fprintf(out, " on ");
	print_text(span_of(h->hostname), out);
	(void)fprintf(out, ", Linux ");
	print_text(span_of(h->kernel_release), out);
	(void)fprintf(out, " ");
	print_text(span_of(h->machine), out);
	(void)fprintf(out, "\n\n");
}

int show_print_tree(const struct show *s, FILE *out)
{
	show_files files = { 0 };
	show_order order = { 0 };
	size_t threads = 0;
	int r = show_list_files(s, &files);

	if (r)
		return r;
	print_head(s->head, out);
	show_sort(s, &order);
	vec_foreach(at, &order) {
		threads += at->task->n_thread;
		print_task(s, at, out);
	}
	print_world(s, out);
	(void)fprintf(out, "\n%zu task%s, %zu thread%s, %zu open file descriptions\n",
		      s->task.records, s->task.records == 1 ? "" : "s", threads,
		      threads == 1 ? "" : "s", s->ofd.records);
	(void)fprintf(out, "%zu images, ", files.n);
	print_size(show_total(&files, false), out);
	(void)fprintf(out, ", of these ");
	print_size(show_total(&files, true), out);
	(void)fprintf(out, " of pages\n");
	return 0;
}
