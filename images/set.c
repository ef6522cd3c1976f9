/*
 * A set: the list of its files, and the commit record that makes it complete. Opening a set proves
 * that it is what was committed: every listed file is there with its size, no other image lies
 * beside them, every image but the page stores hashes to what the record says and frames its
 * records properly. Only then does a reader get to see a record. Images are read whole, once: what
 * was checked is what is used, also if somebody changes the files meanwhile.
 */
#include "set.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "images/hash.h"
#include "images/record.h"
#include "commit.pb-c.h"

struct entry *set_find(const struct image_set *s, const char *stem)
{
	vec_foreach(e, &s->entry)
		if (!strcmp((*e)->stem, stem))
			return *e;
	return NULL;
}

const char *set_file_name(const struct image_set *s, const char *stem)
{
	return arena_printf(s->arena, "%s" IMAGE_SUFFIX, stem);
}

static struct image_set *set_new(struct arena *a, struct backend *b, bool writing)
{
	struct image_set *s = arena_new(a, struct image_set);

	s->arena = a;
	s->backend = b;
	s->writing = writing;
	return s;
}

static void enlist(struct image_set *s, struct entry *e)
{
	*vec_push(s->arena, &s->entry) = e;
	if (e->type == ENTRY_RECORDS)
		*vec_push(s->arena, &s->stem) = e->stem;
}

/* --- writing --- */

int set_create(struct arena *a, struct backend *b, struct image_set **ret)
{
	*ret = set_new(a, b, true);
	return 0;
}

int image_set_create(struct arena *a, int dirfd, unsigned int flags, struct image_set **ret)
{
	struct backend *b;
	int r = dir_backend_create(a, dirfd, flags, &b);

	return r ? r : set_create(a, b, ret);
}

int set_add(struct image_set *s, const char *stem, enum entry_type type, struct entry **ret,
	    struct backend_file **ret_file)
{
	struct entry *e = arena_new(s->arena, struct entry);
	int r;

	bug_on(!s->writing, "a set is either written or read");
	bug_on(!format_stem_valid(stem) || !strcmp(stem, COMMIT_STEM),
	       "this is no name for an image");
	bug_on(set_find(s, stem), "an image is created once");
	if (s->entry.n == SET_FILES_MAX)
		return fail(-EFBIG, "image '%s': the set has %d files already", stem,
			    SET_FILES_MAX);
	*e = (struct entry){.stem = arena_strdup(s->arena, stem), .type = type, .open = true};
	r = s->backend->ops->create(s->backend, set_file_name(s, stem), ret_file);
	if (r)
		return r;
	enlist(s, e);
	*ret = e;
	return 0;
}

int image_set_commit(struct image_set *s)
{
	Commit commit = COMMIT__INIT;
	CommitFile *file = arena_array(s->arena, CommitFile, s->entry.n);

	commit.file = arena_array(s->arena, CommitFile *, s->entry.n);
	vec_foreach(it, &s->entry) {
		const struct entry *e = *it;
		CommitFile *f = &file[commit.n_file];

		bug_on(e->open, "every image is finished before the commit");
		commit_file__init(f);
		f->stem = (char *)e->stem;
		f->type = e->type == ENTRY_PAGES ? COMMIT_FILE__TYPE__PAGES
						 : COMMIT_FILE__TYPE__RECORDS;
		f->size = e->size;
		f->has_hash = e->type == ENTRY_RECORDS;
		f->hash = e->hash;
		commit.file[commit.n_file++] = f;
	}
	return s->backend->ops->commit(s->backend,
				       record_pack_single(s->arena, COMMIT_STEM, &commit.base));
}

void image_set_discard(struct image_set *s)
{
	s->backend->ops->discard(s->backend);
}

void image_set_close(struct image_set *s)
{
	if (s)
		s->backend->ops->close(s->backend);
}

/* --- reading --- */

static int read_commit(struct arena *a, struct backend *b, Commit **ret)
{
	struct wire_place at = {COMMIT_STEM, 0};
	struct format_image image;
	struct span bytes, message;
	ProtobufCMessage *m;
	uint64_t size;
	uint32_t id;
	int r = b->ops->size(b, COMMIT_FILE, &size);

	if (r == -ENOENT)
		return fail(-EINVAL, "'%s' holds no complete checkpoint (no commit record)",
			    b->place);
	if (!r && size > COMMIT_BYTES_MAX)
		r = fail(-EPROTO, "image '" COMMIT_STEM "' has %" PRIu64 " bytes, more than %d",
			 size, COMMIT_BYTES_MAX);
	if (!r)
		r = b->ops->load(b, COMMIT_FILE, size, &bytes);
	if (!r)
		r = format_check(COMMIT_STEM, bytes, &image);
	if (r)
		return r;
	if (image.count != 1 || !format_next(&image.records, &id, &message))
		return fail(-EPROTO, "image '" COMMIT_STEM "' has %" PRIu32 " records, not 1",
			    image.count);
	r = wire_unpack(a, &at, &commit__descriptor, message, &m);
	if (r)
		return r;
	*ret = (Commit *)m;
	return 0;
}

static int check_listed(const struct image_set *s, const CommitFile *f)
{
	bool pages = f->type == COMMIT_FILE__TYPE__PAGES;

	if (!format_stem_valid(f->stem) || !strcmp(f->stem, COMMIT_STEM))
		return fail(-EPROTO,
			    "image '" COMMIT_STEM "' lists a file under an impossible name");
	if (set_find(s, f->stem))
		return fail(-EPROTO, "image '" COMMIT_STEM "' lists '%s' twice", f->stem);
	if (f->has_hash == pages)
		return fail(-EPROTO, "image '" COMMIT_STEM "' lists '%s' with%s a checksum",
			    f->stem, pages ? "" : "out");
	if (f->size > (pages ? (uint64_t)INT64_MAX : FORMAT_IMAGE_MAX))
		return fail(-EPROTO, "image '%s' is listed with an impossible size", f->stem);
	return 0;
}

static int check_size(const struct image_set *s, const struct entry *e)
{
	struct backend *b = s->backend;
	uint64_t size;
	int r = b->ops->size(b, set_file_name(s, e->stem), &size);

	if (r == -ENOENT)
		return fail(-EPROTO, "image '%s' is missing from '%s'", e->stem, b->place);
	if (r)
		return r;
	if (size != e->size)
		return fail(-EPROTO,
			    "image '%s' %s: it has %" PRIu64
			    " bytes, the commit record says %" PRIu64,
			    e->stem, size < e->size ? "is truncated" : "has garbage at its end",
			    size, e->size);
	return 0;
}

static int read_listed(struct image_set *s, const CommitFile *f)
{
	struct entry *e = arena_new(s->arena, struct entry);
	struct backend *b = s->backend;
	struct span bytes;
	int r = check_listed(s, f);

	if (r)
		return r;
	*e = (struct entry){.stem = f->stem,
			    .size = f->size,
			    .hash = f->hash,
			    .type = f->type == COMMIT_FILE__TYPE__PAGES ? ENTRY_PAGES
									: ENTRY_RECORDS};
	r = check_size(s, e);
	if (!r && e->type == ENTRY_RECORDS) {
		r = b->ops->load(b, set_file_name(s, e->stem), e->size, &bytes);
		if (!r)
			r = format_check(e->stem, bytes, &e->image);
		if (!r && XXH3_64bits(bytes.p, bytes.len) != e->hash)
			r = fail(-EPROTO,
				 "image '%s' is not the one that was committed (other checksum)",
				 e->stem);
	}
	if (r)
		return r;
	enlist(s, e);
	return 0;
}

static int check_surplus(const struct image_set *s)
{
	const size_t suffix = strlen(IMAGE_SUFFIX);
	struct backend *b = s->backend;
	backend_names name;
	int r = b->ops->list(b, &name);

	if (r)
		return r;
	vec_foreach(n, &name) {
		const char *stem = arena_strndup(s->arena, *n, strlen(*n) - suffix);

		if (strcmp(stem, COMMIT_STEM) != 0 && !set_find(s, stem))
			return fail(-EPROTO, "'%s' holds '%s', which is not part of the checkpoint",
				    b->place, *n);
	}
	return 0;
}

int set_open(struct arena *a, struct backend *b, struct image_set **ret)
{
	struct image_set *s = set_new(a, b, false);
	Commit *commit = NULL;
	int r = read_commit(a, b, &commit);

	if (r)
		return r;
	if (commit->n_file > SET_FILES_MAX)
		return fail(-EPROTO, "image '" COMMIT_STEM "' lists %zu files, more than %d",
			    commit->n_file, SET_FILES_MAX);
	for (size_t i = 0; i < commit->n_file && !r; i++)
		r = read_listed(s, commit->file[i]);
	if (!r)
		r = check_surplus(s);
	if (r)
		return r;
	*ret = s;
	return 0;
}

int image_set_open(struct arena *a, int dirfd, struct image_set **ret)
{
	struct backend *b;
	int r = dir_backend_open(a, dirfd, &b);

	return r ? r : set_open(a, b, ret);
}

size_t image_set_stems(const struct image_set *s, const char *const **ret)
{
	*ret = s->stem.v;
	return s->stem.n;
}
