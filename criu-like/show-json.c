/*
 * The tree view as one JSON object: {"checkpoint":{...}, "tasks":[...], "beside":[...],
 * "images":[...]}. A descriptor's `ofd` is the number of its records in ofd.img and in the image of
 * its kind, which `torpor show DIR KIND --json` prints whole. Arguments are absent where the
 * checkpoint does not hold the page with them. Bytes that are no UTF-8 text become \u00XX, as in
 * single images.
 */
#include <inttypes.h>
#include <string.h>

#include "show.h"

static void print_string(const struct show *s, struct span text, FILE *out)
{
	size_t size = 6 * text.len + 16;
	char *buf = arena_alloc(s->arena, size);

	str_json(arena_strndup(s->arena, text.p, text.len), buf, size);
	(void)fputs(buf, out); /* the stream is looked at once, at the end */
}

static void print_member(const struct show *s, const char *name, struct span value, FILE *out)
{
	(void)fprintf(out, "\"%s\":", name);
	print_string(s, value, out);
	(void)putc(',', out);
}

static void print_head(const struct show *s, FILE *out)
{
	const Head *h = s->head;

	(void)fprintf(out, "{\"checkpoint\":{\"root_pid\":%d,\"time\":%" PRId64 ",", h->root_pid,
		      h->time_s);
	print_member(s, "tool_version", span_of(h->tool_version), out);
	print_member(s, "hostname", span_of(h->hostname), out);
	print_member(s, "kernel", span_of(h->kernel_release), out);
	(void)fprintf(out, "\"machine\":");
	print_string(s, span_of(h->machine), out);
	(void)fprintf(out, ",\"id\":\"");
	for (size_t i = 0; i < h->checkpoint_id.len; i++)
		(void)fprintf(out, "%02x", h->checkpoint_id.data[i]);
	(void)fprintf(out, "\"},\n\"tasks\":[");
}

static void print_arguments(const struct show *s, const Task *t, FILE *out)
{
	const char *between = "";
	struct span all, one;

	if (show_arguments(s, t, &all))
		return;
	(void)fprintf(out, "\"arguments\":[");
	while (all.len) {
		if (!span_cut(&all, 0, &one)) {
			one = all;
			all.len = 0;
		}
		(void)fputs(between, out);
		print_string(s, one, out);
		between = ",";
	}
	(void)fprintf(out, "],");
}

static void print_descriptor(const struct show *s, const FdEntry *e, FILE *out)
{
	const Ofd *o = (const Ofd *)show_get(&s->ofd, e->ofd);

	(void)fprintf(out, "{\"fd\":%u,\"ofd\":%u,", e->number, e->ofd);
	if (o)
		print_member(s, "kind", span_of(o->kind), out);
	if (o && o->name)
		print_member(s, "name", span_of(o->name), out);
	if (o) {
		print_member(s, "text", span_of(show_descriptor_text(s, o, e->ofd)), out);
		(void)fprintf(out, "\"flags\":%" PRIu64 ",\"position\":%" PRIu64 ",", o->flags,
			      o->pos);
	}
	(void)fprintf(out, "\"cloexec\":%s}", e->cloexec ? "true" : "false");
}

static void print_descriptors(const struct show *s, const Task *t, FILE *out)
{
	const FdTable *table =
		t->has_files ? (const FdTable *)show_get(&s->fd_table, t->files) : NULL;

	(void)fprintf(out, "\"descriptors\":[");
	for (size_t i = 0; table && i < table->n_entry; i++) {
		(void)fputs(i ? "," : "", out);
		print_descriptor(s, table->entry[i], out);
	}
	(void)putc(']', out);
}

static void print_task(const struct show *s, const struct show_place *at, FILE *out)
{
	static const char *const state[] = { "alive", "zombie", "dead leader" };
	const Task *t = at->task;
	const Task *parent = t->has_parent ? (const Task *)show_get(&s->task, t->parent) : NULL;
	const Creds *c = show_creds(s, t);

	(void)fprintf(out, "\n{\"pid\":%u,", show_pid(t));
	if (parent)
		(void)fprintf(out, "\"parent\":%u,", show_pid(parent));
	(void)fprintf(out, "\"pgid\":%u,\"sid\":%u,\"state\":\"%s\",", t->pgid, t->sid,
		      t->state <= 2 ? state[t->state] : "?");
	print_member(s, "comm",
		     (struct span){ (char *)t->comm.data,
				    strnlen((char *)t->comm.data, t->comm.len) }, out);
	print_arguments(s, t, out);
	if (c)
		(void)fprintf(out, "\"uid\":%u,\"gid\":%u,", c->uid[0], c->n_gid ? c->gid[0] : 0);
	if (t->has_stop_signal)
		(void)fprintf(out, "\"stop_signal\":%u,", t->stop_signal);
	(void)fprintf(out, "\"threads\":%zu,\"pages\":%" PRIu64 ",", t->n_thread,
		      show_pages(s, t));
	print_descriptors(s, t, out);
	(void)putc('}', out);
}

int show_print_tree_json(const struct show *s, FILE *out)
{
	show_files files = { 0 };
	show_order order = { 0 };
	const char *between = "";
	int r = show_list_files(s, &files);

	if (r)
		return r;
	show_sort(s, &order);
	print_head(s, out);
	vec_foreach(at, &order) {
		(void)fputs(between, out);
		print_task(s, at, out);
		between = ",";
	}
	(void)fprintf(out, "\n],\n\"beside\":[");
	vec_foreach(line, &s->world) {
		(void)fputs(line == s->world.v ? "\n" : ",\n", out);
		print_string(s, span_of(*line), out);
	}
	(void)fprintf(out, "],\n\"page_bytes\":%u,\"bytes\":%" PRIu64 ",\n\"images\":[",
		      s->head->page_size, show_total(&files, false));
	vec_foreach(f, &files) {
		(void)fprintf(out, "%s\n{\"bytes\":%" PRIu64 ",\"name\":", f == files.v ? "" : ",",
			      f->bytes);
		print_string(s, span_of(f->name), out);
		(void)putc('}', out);
	}
	(void)fprintf(out, "\n]}\n");
	return 0;
}
