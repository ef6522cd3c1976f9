#pragma once
/*
 * What the tests of the image library share: a directory and a log of their own, a record with
 * every type in it, and the loop that runs them. Each test program includes this once.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "images/image.h"
#include "sample.pb-c.h"

struct box {
	struct arena arena;
	char path[64];
	int dirfd, log;
};

/* A test yields NULL, or why it failed. */
typedef const char *test_fn(struct box *b);

#define check(condition)                                \
	do {                                            \
		if (!(condition))                       \
			return "not true: " #condition; \
	} while (0)

static inline bool said(struct box *b, const char *text)
{
	char buf[4096];
	ssize_t n = pread(b->log, buf, sizeof(buf) - 1, 0);

	buf[n > 0 ? n : 0] = 0;
	if (ftruncate(b->log, 0) || lseek(b->log, 0, SEEK_SET))
		return false;
	if (strstr(buf, text))
		return true;
	(void)printf("# expected '%s' in: %s", text, buf);
	return false;
}

static inline void fill_numbers(Sample *m)
{
	m->int32 = INT32_MIN;
	m->has_sint32 = m->has_sfixed32 = m->has_int64 = m->has_sint64 = m->has_sfixed64 = 1;
	m->sint32 = INT32_MIN;
	m->sfixed32 = -2;
	m->int64 = INT64_MIN;
	m->sint64 = INT64_MIN;
	m->sfixed64 = INT64_MAX;
	m->has_uint32 = m->has_fixed32 = m->has_uint64 = m->has_fixed64 = 1;
	m->uint32 = m->fixed32 = UINT32_MAX;
	m->uint64 = m->fixed64 = UINT64_MAX;
	m->has_single = m->has_real = m->has_flag = m->has_colour = 1;
	m->single = 0.5f;
	m->real = -0.1;
	m->flag = 1;
	m->colour = COLOUR__BLUE;
}

static inline Sample *sample_new(struct arena *a, uint32_t seed)
{
	static uint64_t numbers[] = {0, 1, UINT64_MAX};
	static int32_t packed[] = {-1, 0, INT32_MAX};
	static Colour colours[] = {COLOUR__RED, COLOUR__BLUE};
	Sample *m = arena_new(a, Sample);
	Leaf *leaf = arena_array(a, Leaf, 2);

	sample__init(m);
	fill_numbers(m);
	m->uint32 = seed;
	m->text = arena_printf(a, "text \"%u\"\n\xff\xc3\xa9", seed);
	m->has_raw = 1;
	m->raw = (ProtobufCBinaryData){4, arena_memdup(a, "\0\1\xfe\xff", 4)};
	m->leaves = arena_array(a, Leaf *, 2);
	for (m->n_leaves = 0; m->n_leaves < 2; m->n_leaves++) {
		leaf__init(&leaf[m->n_leaves]);
		leaf[m->n_leaves].a = seed + (uint32_t)m->n_leaves;
		m->leaves[m->n_leaves] = &leaf[m->n_leaves];
	}
	m->leaf = &leaf[0];
	m->number = numbers;
	m->n_number = array_size(numbers);
	m->packed_number = packed;
	m->n_packed_number = array_size(packed);
	m->packed_colour = colours;
	m->n_packed_colour = array_size(colours);
	m->word = arena_array(a, char *, 2);
	m->n_word = 2;
	m->word[0] = m->word[1] = (char *)"";
	m->choice_case = SAMPLE__CHOICE_OTHER;
	m->other = (char *)"other";
	return m;
}

static inline int write_image(struct image_set *s, struct arena *a, const char *stem, uint32_t n)
{
	struct image *i;
	int r = image_create(s, stem, &i);

	for (uint32_t id = 0; id < n && !r; id++)
		r = image_append(i, id * 3, &sample_new(a, id)->base);
	return r ? r : image_finish(i);
}

static inline int write_pages(struct image_set *s, size_t n_pages)
{
	static char page[4096];
	struct page_store *p;
	uint64_t offset, hash;
	struct iovec iov = {page, sizeof(page)};
	int r = page_store_create(s, 0, &p);

	for (size_t i = 0; i < n_pages && !r; i++) {
		memset(page, (int)i, sizeof(page));
		r = page_store_append(p, &iov, 1, &offset, &hash);
	}
	return r ? r : page_store_finish(p);
}

static inline int fill_set(struct image_set *s, struct arena *a)
{
	int r = write_image(s, a, "head", 1) ?: write_image(s, a, "tasks", 2);

	return r ?: write_image(s, a, "empty", 0);
}

static inline int write_set(struct box *b, unsigned int flags)
{
	struct image_set *s;
	int r = image_set_create(&b->arena, b->dirfd, flags, &s);

	if (r)
		return r;
	r = fill_set(s, &b->arena) ?: write_pages(s, 2) ?: image_set_commit(s);
	if (r)
		image_set_discard(s);
	image_set_close(s);
	return r;
}

/* Reads all records of a set, as a restore would. */
static inline int read_all(struct image_set *s)
{
	const char *const *stem;
	size_t n = image_set_stems(s, &stem);
	int r = 0;

	for (size_t k = 0; k < n && !r; k++) {
		ProtobufCMessage *m;
		struct image *i;
		uint32_t id;

		r = image_open(s, stem[k], &i);
		while (!r && (r = image_next(i, &sample__descriptor, &id, &m)) > 0)
			r = 0;
	}
	image_set_close(s);
	return r;
}

static inline int read_set(struct box *b)
{
	struct image_set *s;
	int r = image_set_open(&b->arena, b->dirfd, &s);

	return r ? r : read_all(s);
}

static inline void box_init(struct box *b)
{
	const char *tmp = getenv("TMPDIR") ?: "/tmp";

	arena_init(&b->arena);
	(void)snprintf(b->path, sizeof(b->path), "%.40s/images-XXXXXX", tmp);
	b->log = memfd_create("log", MFD_CLOEXEC);
	if (b->log < 0 || !mkdtemp(b->path) || image_dir_open(b->path, false, &b->dirfd))
		bug(__FILE__, __LINE__, "a test needs a directory");
	log_setup(&(struct log_config){.fd = b->log, .level = LOG_WARN});
}

/* Empties the directory. */
static inline void wipe(struct box *b)
{
	const char *const *name;
	size_t n = 0;

	(void)io_list(&b->arena, b->dirfd, &name, &n); /* as far as it goes */
	for (size_t i = 0; i < n; i++)
		if (unlinkat(b->dirfd, name[i], 0))
			(void)unlinkat(b->dirfd, name[i], AT_REMOVEDIR);
}

static inline void box_deinit(struct box *b)
{
	wipe(b);
	(void)rmdir(b->path);
	fd_close(&b->dirfd);
	log_setup(&(struct log_config){.fd = -1, .level = LOG_WARN});
	fd_close(&b->log);
	arena_deinit(&b->arena);
}

struct test {
	const char *name;
	test_fn *run;
};

static inline int run_tests(const struct test *test, size_t n)
{
	size_t failed = 0;

	for (size_t i = 0; i < n; i++) {
		struct box b;
		const char *why;

		box_init(&b);
		why = test[i].run(&b);
		box_deinit(&b);
		failed += why != NULL;
		(void)printf("%s %s%s%s\n", why ? "not ok" : "ok", test[i].name, why ? ": " : "",
			     why ?: "");
	}
	(void)printf("%zu passed, %zu failed, 0 skipped\n", n - failed, failed);
	return failed != 0;
}
