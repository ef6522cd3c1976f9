/*
 * What the tree view needs from a checkpoint: a few images by id, and the arguments of each task,
 * which are in its saved memory between arg_start and arg_end (the kernel's own copy of them exists
 * nowhere else). Pages that were never written are not in the checkpoint; then the task's name must
 * do.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "show.h"

enum { ARGUMENTS_MAX = 4096, IDS_MAX = 1 << 24 };

static int put(struct show *s, struct show_table *t, uint32_t id, const ProtobufCMessage *m)
{
	struct show_record *r = arena_new(s->arena, struct show_record), **last;

	if (id >= IDS_MAX)
		return fail(-EPROTO, "broken checkpoint: a record has the id %u", id);
	if (id >= t->n) {
		size_t n = id + 1 > 2 * t->n ? id + 1 : 2 * t->n;

		t->v = arena_grow(s->arena, t->v, t->n * sizeof(*t->v), n * sizeof(*t->v));
		t->n = n;
	}
	r->m = m;
	for (last = &t->v[id]; *last; last = &(*last)->next)
		;
	*last = r;
	t->records++;
	return 0;
}

int show_read_image(struct show *s, const char *stem, struct show_table *ret)
{
	ProtobufCMessage *m;
	struct image *i;
	uint32_t id;
	int r = image_open(s->set, stem, &i);

	if (r == -ENOENT)
		return 0; /* nobody had such a thing */
	while (!r && (r = image_next(i, show_descriptor(stem), &id, &m)) > 0)
		r = put(s, ret, id, m);
	return r;
}

const ProtobufCMessage *show_get(const struct show_table *t, uint32_t id)
{
	return id < t->n && t->v[id] ? t->v[id]->m : NULL;
}

int show_read(struct show *s)
{
	struct show_table head = { 0 };
	int r = show_read_image(s, "head", &head);

	r = r ?: show_read_image(s, "task", &s->task);
	r = r ?: show_read_image(s, "creds", &s->creds);
	r = r ?: show_read_image(s, "mm", &s->mm);
	r = r ?: show_read_image(s, "pagemap", &s->pagemap);
	r = r ?: show_read_image(s, "fd_table", &s->fd_table);
	r = r ?: show_read_image(s, "ofd", &s->ofd);
	if (r)
		return r;
	s->head = (const Head *)show_get(&head, 0);
	if (!s->head)
		return fail(-EPROTO, "broken checkpoint: it has no head");
	r = show_read_kinds(s);
	return r ?: show_read_world(s);
}

static const struct show_record *runs_of(const struct show *s, const Task *t)
{
	return t->has_mm && t->mm < s->pagemap.n ? s->pagemap.v[t->mm] : NULL;
}

uint64_t show_pages(const struct show *s, const Task *t)
{
	uint64_t n = 0;

	for (const struct show_record *r = runs_of(s, t); r; r = r->next) {
		const Pagemap *p = (const Pagemap *)r->m;

		for (size_t i = 0; i < p->n_pages; i++)
			n += p->pages[i];
	}
	return n;
}

/* Where a byte of an address space is: its shard, its offset there. */
static int locate(const struct show *s, const Task *t, uint64_t address, uint32_t *ret_shard,
		  uint64_t *ret_offset)
{
	for (const struct show_record *r = runs_of(s, t); r; r = r->next) {
		const Pagemap *p = (const Pagemap *)r->m;

		for (size_t i = 0; i < p->n_address && i < p->n_pages && i < p->n_offset; i++) {
			uint64_t into = address - p->address[i];

			if (address < p->address[i] || into / s->head->page_size >= p->pages[i])
				continue;
			*ret_shard = p->shard;
			*ret_offset = p->offset[i] + into;
			return 0;
		}
	}
	return -ENOENT;
}

static int read_piece(const struct show *s, const Task *t, uint64_t address, struct span piece)
{
	_close_ int fd = -1;
	uint64_t offset;
	uint32_t shard;
	int r = locate(s, t, address, &shard, &offset);

	r = r ?: page_store_open(s->set, shard, &fd);
	return r ?: io_pread(fd, (char *)piece.p, piece.len, offset);
}

int show_arguments(const struct show *s, const Task *t, struct span *ret)
{
	const Mm *mm = t->has_mm ? (const Mm *)show_get(&s->mm, t->mm) : NULL;
	uint64_t page = s->head->page_size, len;
	char *text;
	int r = 0;

	if (!mm || mm->arg_end <= mm->arg_start || !page || page & (page - 1))
		return -ENOENT;
	len = mm->arg_end - mm->arg_start;
	len = len < ARGUMENTS_MAX ? len : ARGUMENTS_MAX;
	text = arena_alloc(s->arena, len + 1);
	for (uint64_t done = 0; !r && done < len;) {
		uint64_t at = mm->arg_start + done, left = page - (at & (page - 1));
		struct span piece = { text + done, left < len - done ? left : len - done };

		r = read_piece(s, t, at, piece);
		done += piece.len;
	}
	if (r)
		return r;
	*ret = (struct span){ text, len };
	return 0;
}

uint32_t show_pid(const Task *t)
{
	return t->n_pid ? t->pid[0] : 0;
}

const Creds *show_creds(const struct show *s, const Task *t)
{
	for (size_t i = 0; i < t->n_thread; i++) {
		const Creds *c = (const Creds *)show_get(&s->creds, t->thread[i]);

		if (c && c->n_uid)
			return c;
	}
	return NULL;
}

/* Ids of shared objects are the index of the first task that has them. */
const Task *show_first_with_table(const struct show *s, const Task *t)
{
	const Task *first = t->has_files ? (const Task *)show_get(&s->task, t->files) : NULL;

	return first && first->has_files && first->files == t->files ? first
	       : t->has_files					     ? t
								     : NULL;
}

static uint32_t parent_of(const struct show *s, uint32_t i, uint32_t none)
{
	const Task *t = (const Task *)show_get(&s->task, i);

	return t->has_parent && t->parent < i && show_get(&s->task, t->parent) ? t->parent : none;
}

/*
 * Parents have lower numbers than children; a child's subtree goes before its next sibling. What a
 * broken checkpoint says otherwise is taken as another root.
 */
void show_sort(const struct show *s, show_order *ret)
{
	const uint32_t top = (uint32_t)s->task.n, none = UINT32_MAX;
	uint32_t *first = arena_array(s->arena, uint32_t, top + 1);
	uint32_t *next = arena_array(s->arena, uint32_t, top + 1);
	unsigned int depth = 0;

	memset(first, 0xff, (top + 1) * sizeof(*first));
	next[top] = none;
	for (uint32_t i = top; i-- > 0;)
		if (show_get(&s->task, i)) {
			uint32_t parent = parent_of(s, i, top);

			next[i] = first[parent];
			first[parent] = i;
		}
	for (uint32_t i = first[top]; i != none;) {
		*vec_push(s->arena, ret) =
			(struct show_place){ (const Task *)show_get(&s->task, i), i, depth };
		if (first[i] != none) {
			i = first[i];
			depth++;
			continue;
		}
		while (i != top && next[i] == none) {
			i = parent_of(s, i, top);
			depth -= depth ? 1 : 0;
		}
		i = next[i];
	}
}

uint64_t show_total(const show_files *files, bool pages_only)
{
	uint64_t n = 0;

	vec_foreach(f, files)
		if (!pages_only || !strncmp(f->name, "pages-", 6))
			n += f->bytes;
	return n;
}

static bool is_image(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && !strcmp(name + len - 4, ".img");
}

int show_list_files(const struct show *s, show_files *ret)
{
	const char *const *name;
	size_t n;
	int r = io_list(s->arena, s->dirfd, &name, &n);

	if (r)
		return fail(r, "list the images");
	for (size_t i = 0; i < n; i++) {
		struct show_file f = { name[i], 0 };

		if (!is_image(name[i]) || io_size_at(s->dirfd, name[i], &f.bytes))
			continue;
		*vec_push(s->arena, ret) = f;
		for (size_t k = ret->n - 1; k && strcmp(ret->v[k - 1].name, f.name) > 0; k--) {
			ret->v[k] = ret->v[k - 1];
			ret->v[k - 1] = f;
		}
	}
	return 0;
}
