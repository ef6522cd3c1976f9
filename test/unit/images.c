/*
 * The image library without root: what goes in comes out, and whatever else may have happened to the
 * files is noticed before a record is handed out. Sets live in a directory below TMPDIR; messages of
 * the library are collected in a memfd so that their wording can be checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "images/image.h"
#include "images/json.h"
#include "images/wire.h"
#include "sample.pb-c.h"

struct box {
	struct arena arena;
	char path[64];
	int dirfd, log;
};

/* A test yields NULL, or why it failed. */
typedef const char *test_fn(struct box *b);

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return "not true: " #condition;                                            \
	} while (0)

static bool said(struct box *b, const char *text)
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

/* --- sets to work on --- */

static void fill_numbers(Sample *m)
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

static Sample *sample_new(struct arena *a, uint32_t seed)
{
	static uint64_t numbers[] = { 0, 1, UINT64_MAX };
	static int32_t packed[] = { -1, 0, INT32_MAX };
	static Colour colours[] = { COLOUR__RED, COLOUR__BLUE };
	Sample *m = arena_new(a, Sample);
	Leaf *leaf = arena_array(a, Leaf, 2);

	sample__init(m);
	fill_numbers(m);
	m->uint32 = seed;
	m->text = arena_printf(a, "text \"%u\"\n\xff\xc3\xa9", seed);
	m->has_raw = 1;
	m->raw = (ProtobufCBinaryData){ 4, arena_memdup(a, "\0\1\xfe\xff", 4) };
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

static int write_image(struct image_set *s, struct arena *a, const char *stem, uint32_t n)
{
	struct image *i;
	int r = image_create(s, stem, &i);

	for (uint32_t id = 0; id < n && !r; id++)
		r = image_append(i, id * 3, &sample_new(a, id)->base);
	return r ? r : image_finish(i);
}

static int write_pages(struct image_set *s, size_t n_pages)
{
	static char page[4096];
	struct page_store *p;
	uint64_t offset, hash;
	struct iovec iov = { page, sizeof(page) };
	int r = page_store_create(s, 0, &p);

	for (size_t i = 0; i < n_pages && !r; i++) {
		memset(page, (int)i, sizeof(page));
		r = page_store_append(p, &iov, 1, &offset, &hash);
	}
	return r ? r : page_store_finish(p);
}

static int write_set(struct box *b, unsigned int flags)
{
	struct image_set *s;
	int r = image_set_create(&b->arena, b->dirfd, flags, &s);

	if (r)
		return r;
	r = write_image(s, &b->arena, "head", 1) ?: write_image(s, &b->arena, "tasks", 2);
	r = r ?: write_image(s, &b->arena, "empty", 0) ?: write_pages(s, 2) ?: image_set_commit(s);
	image_set_close(s);
	return r;
}

/* Opens and reads the whole set as a restore would. */
static int read_set(struct box *b)
{
	struct image_set *s;
	const char *const *stem;
	int r = image_set_open(&b->arena, b->dirfd, &s);
	size_t n = r ? 0 : image_set_stems(s, &stem);

	for (size_t k = 0; k < n && !r; k++) {
		ProtobufCMessage *m;
		struct image *i;
		uint32_t id;

		r = image_open(s, stem[k], &i);
		while (!r && (r = image_next(i, &sample__descriptor, &id, &m)) > 0)
			r = 0;
	}
	if (n)
		image_set_close(s);
	return r;
}

static struct span slurp(struct box *b, const char *name)
{
	struct span s = { 0 };

	(void)io_slurp_at(&b->arena, b->dirfd, name, &s);
	return s;
}

static int spit(struct box *b, const char *name, const void *p, size_t len)
{
	int fd = openat(b->dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : io_write(fd, p, len);

	fd_close(&fd);
	return r;
}

/* Makes an image of the bytes between header and trailer valid again, as a forger would. */
static void reseal(char *p, size_t len)
{
	uint64_t h = XXH3_64bits(p, len - 8);

	memcpy(p + len - 8, &h, sizeof(h));
}

/* --- tests --- */

static const char *t_round_trip(struct box *b)
{
	struct image_set *s;
	ProtobufCMessage *m;
	struct image *i;
	uint32_t id;

	check(!write_set(b, IMAGE_SET_SYNC));
	check(!image_set_open(&b->arena, b->dirfd, &s));
	check(image_open(s, "nothing", &i) == -ENOENT);
	check(image_open(s, "pages-0", &i) == -ENOENT);
	check(!image_open(s, "tasks", &i) && image_count(i) == 2);
	for (uint32_t n = 0; n < 2; n++) {
		Sample *want = sample_new(&b->arena, n);
		size_t len = sample__get_packed_size(want);
		unsigned char *x = arena_alloc(&b->arena, len), *y = arena_alloc(&b->arena, len);

		check(image_next(i, &sample__descriptor, &id, &m) == 1 && id == n * 3);
		check(sample__get_packed_size((Sample *)m) == len);
		sample__pack(want, x);
		sample__pack((Sample *)m, y);
		check(!memcmp(x, y, len));
		check(((Sample *)m)->with_default == 7 && !((Sample *)m)->has_with_default);
	}
	check(image_next(i, &sample__descriptor, &id, &m) == 0);
	check(!image_open(s, "empty", &i) && image_count(i) == 0);
	check(image_next(i, &sample__descriptor, &id, &m) == 0);
	image_set_close(s);
	return NULL;
}

static const char *t_many_records(struct box *b)
{
	enum { N = 20000 };
	struct image_set *s;
	ProtobufCMessage *m;
	struct image *i;
	uint32_t id, n = 0;

	check(!image_set_create(&b->arena, b->dirfd, 0, &s));
	check(!write_image(s, &b->arena, "tasks", N) && !image_set_commit(s));
	check(!image_set_open(&b->arena, b->dirfd, &s) && !image_open(s, "tasks", &i));
	check(image_count(i) == N);
	for (; image_next(i, &sample__descriptor, &id, &m) == 1; n++)
		check(id == n * 3 && ((Sample *)m)->uint32 == n);
	check(n == N);
	return NULL;
}

static const char *t_big_record(struct box *b)
{
	Sample big = SAMPLE__INIT;
	struct image_set *s;
	ProtobufCMessage *m;
	struct image *i;
	uint32_t id;

	big.has_raw = 1;
	big.raw.len = 5 << 20;
	big.raw.data = arena_alloc(&b->arena, big.raw.len);
	memset(big.raw.data, 0x5a, big.raw.len);
	check(!image_set_create(&b->arena, b->dirfd, 0, &s) && !image_create(s, "big", &i));
	check(!image_append(i, 1, &sample_new(&b->arena, 1)->base));
	check(!image_append(i, 2, &big.base) && !image_finish(i) && !image_set_commit(s));
	check(!image_set_open(&b->arena, b->dirfd, &s) && !image_open(s, "big", &i));
	check(image_next(i, &sample__descriptor, &id, &m) == 1);
	check(image_next(i, &sample__descriptor, &id, &m) == 1 && ((Sample *)m)->raw.len == big.raw.len);
	check(!memcmp(((Sample *)m)->raw.data, big.raw.data, big.raw.len));
	return NULL;
}

static const char *t_record_too_big(struct box *b)
{
	Sample big = SAMPLE__INIT;
	struct image_set *s;
	struct image *i;

	big.has_raw = 1;
	big.raw.len = 65 << 20;
	big.raw.data = arena_alloc(&b->arena, big.raw.len);
	check(!image_set_create(&b->arena, b->dirfd, 0, &s) && !image_create(s, "big", &i));
	check(image_append(i, 1, &big.base) == -EFBIG && said(b, "image 'big': record 0"));
	image_set_discard(s);
	return NULL;
}

static const char *t_files_are_private(struct box *b)
{
	const char *const *name;
	struct stat st;
	size_t n;

	(void)umask(0);
	check(!write_set(b, 0) && !io_list(&b->arena, b->dirfd, &name, &n) && n == 5);
	for (size_t i = 0; i < n; i++)
		check(!fstatat(b->dirfd, name[i], &st, 0) && (st.st_mode & 07777) == 0600);
	return NULL;
}

static const char *t_truncated(struct box *b)
{
	static const char *const names[] = { "commit.img", "tasks.img", "empty.img", "pages-0.img" };

	check(!write_set(b, 0));
	for (size_t k = 0; k < array_size(names); k++) {
		struct span all = slurp(b, names[k]);

		for (size_t len = 0; len < all.len; len++) {
			check(!spit(b, names[k], all.p, len));
			check(read_set(b) < 0);
		}
		check(!spit(b, names[k], all.p, all.len) && !read_set(b));
	}
	check(said(b, "image 'commit' is empty"));
	return NULL;
}

static const char *t_flipped_bits(struct box *b)
{
	static const char *const names[] = { "commit.img", "head.img", "empty.img" };

	check(!write_set(b, 0));
	for (size_t k = 0; k < array_size(names); k++) {
		struct span all = slurp(b, names[k]);
		char *p = arena_memdup(&b->arena, all.p, all.len);

		for (size_t bit = 0; bit < all.len * 8; bit++) {
			p[bit / 8] ^= (char)(1 << bit % 8);
			check(!spit(b, names[k], p, all.len) && read_set(b) < 0);
			p[bit / 8] ^= (char)(1 << bit % 8);
		}
		check(!spit(b, names[k], all.p, all.len) && !read_set(b));
	}
	return NULL;
}

static const char *t_reordered(struct box *b)
{
	struct span all;
	char *p, *first;
	size_t body, half;

	check(!write_set(b, 0));
	all = slurp(b, "tasks.img");
	p = arena_memdup(&b->arena, all.p, all.len);
	body = all.len - 64 - 16;
	half = body / 2; /* two records of one length */
	first = arena_memdup(&b->arena, p + 64, half);
	memmove(p + 64, p + 64 + half, half);
	memcpy(p + 64 + half, first, half);
	reseal(p, all.len);
	check(!spit(b, "tasks.img", p, all.len) && read_set(b) < 0);
	check(said(b, "image 'tasks' is not the one that was committed"));
	return NULL;
}

static const char *t_swapped_images(struct box *b)
{
	check(!write_set(b, 0));
	check(!renameat(b->dirfd, "head.img", b->dirfd, "x") && !renameat(b->dirfd, "tasks.img", b->dirfd, "head.img"));
	check(!renameat(b->dirfd, "x", b->dirfd, "tasks.img") && read_set(b) < 0);
	return NULL;
}

static const char *t_trailing_garbage(struct box *b)
{
	struct span all;

	check(!write_set(b, 0));
	all = slurp(b, "tasks.img");
	check(!spit(b, "tasks.img", arena_grow(&b->arena, (void *)all.p, all.len, all.len + 1), all.len + 1));
	check(read_set(b) < 0 && said(b, "image 'tasks' has garbage at its end"));
	check(!spit(b, "tasks.img", all.p, all.len));
	all = slurp(b, "commit.img");
	check(!spit(b, "commit.img", arena_grow(&b->arena, (void *)all.p, all.len, all.len + 1), all.len + 1));
	check(read_set(b) < 0 && said(b, "image 'commit' is damaged"));
	return NULL;
}

static const char *t_foreign_version(struct box *b)
{
	struct span all;
	char *p;

	check(!write_set(b, 0));
	all = slurp(b, "tasks.img");
	p = arena_memdup(&b->arena, all.p, all.len);
	p[8] = 9;
	reseal(p, all.len);
	check(!spit(b, "tasks.img", p, all.len) && read_set(b) < 0);
	check(said(b, "image 'tasks' has format version 9, this torpor reads version 1"));
	p[0] = 0;
	check(!spit(b, "tasks.img", p, all.len) && read_set(b) < 0 && said(b, "wrong magic"));
	return NULL;
}

static const char *t_missing_and_surplus(struct box *b)
{
	check(!write_set(b, 0));
	check(!spit(b, "restore.log", "x", 1) && !read_set(b)); /* no image: none of our business */
	check(!spit(b, "more.img", "x", 1) && read_set(b) < 0);
	check(said(b, "holds 'more.img', which is not part of the checkpoint"));
	check(!unlinkat(b->dirfd, "more.img", 0) && !unlinkat(b->dirfd, "tasks.img", 0) && read_set(b) < 0);
	check(said(b, "image 'tasks' is missing"));
	check(!mkdirat(b->dirfd, "tasks.img", 0700) && read_set(b) < 0 && said(b, "no regular file"));
	check(!unlinkat(b->dirfd, "tasks.img", AT_REMOVEDIR));
	check(!symlinkat("head.img", b->dirfd, "tasks.img") && read_set(b) < 0 && said(b, "no regular file"));
	return NULL;
}

static const char *t_no_commit(struct box *b)
{
	struct image_set *s;
	char missing[80];
	int fd;

	check(image_set_open(&b->arena, b->dirfd, &s) < 0);
	check(said(b, arena_printf(&b->arena, "'%s' holds no complete checkpoint (no commit record)", b->path)));
	check(!write_set(b, 0) && !unlinkat(b->dirfd, "commit.img", 0) && read_set(b) < 0);
	check(said(b, "no commit record"));
	(void)snprintf(missing, sizeof(missing), "%s/missing", b->path);
	check(image_dir_open(missing, false, &fd) == -ENOENT && said(b, "missing': No such file or directory"));
	return NULL;
}

static const char *t_create_twice(struct box *b)
{
	struct image_set *s, *t;
	struct image *i;

	check(!image_set_create(&b->arena, b->dirfd, 0, &s));
	check(image_set_create(&b->arena, b->dirfd, 0, &t) < 0 && said(b, "another dump writes to"));
	check(!image_create(s, "head", &i) && !image_finish(i) && !image_set_commit(s));
	image_set_close(s);
	check(image_set_create(&b->arena, b->dirfd, 0, &s) == -EEXIST && said(b, "holds a checkpoint already"));
	check(!read_set(b));
	check(!write_set(b, IMAGE_SET_REPLACE) && !read_set(b));
	return NULL;
}

static const char *t_leftovers(struct box *b)
{
	struct image_set *s;

	check(!image_set_create(&b->arena, b->dirfd, 0, &s));
	check(!write_image(s, &b->arena, "old", 1) && !write_pages(s, 1));
	image_set_close(s); /* as if the dump was killed here */
	check(!write_set(b, 0) && !read_set(b) && !slurp(b, "old.img").p);
	return NULL;
}

static const char *t_foreign_files_stay(struct box *b)
{
	struct image_set *s;

	check(!spit(b, "disk.img", "precious", 8));
	check(image_set_create(&b->arena, b->dirfd, 0, &s) < 0);
	check(said(b, "holds 'disk.img', which is not of this dump: use an empty directory"));
	check(slurp(b, "disk.img").len == 8 && faccessat(b->dirfd, "commit.img.tmp", F_OK, 0));
	return NULL;
}

static const char *t_discard(struct box *b)
{
	struct image_set *s;
	struct image *i;
	const char *const *name;
	size_t n;

	check(!spit(b, "dump.log", "x", 1) && !image_set_create(&b->arena, b->dirfd, 0, &s));
	check(!write_image(s, &b->arena, "tasks", 3) && !write_pages(s, 1) && !image_create(s, "open", &i));
	image_set_discard(s);
	check(!io_list(&b->arena, b->dirfd, &name, &n) && n == 1 && !strcmp(name[0], "dump.log"));
	return NULL;
}

static const char *t_disk_full(struct box *b)
{
	struct rlimit limit = { 100000, 100000 };
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (!pid) {
		struct image_set *s;
		const char *const *name;
		size_t n;
		int r;

		(void)signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &limit) || image_set_create(&b->arena, b->dirfd, 0, &s))
			_exit(2);
		r = write_image(s, &b->arena, "tasks", 5000) == -EFBIG && write_pages(s, 100) == -EFBIG;
		image_set_discard(s);
		_exit(r && !io_list(&b->arena, b->dirfd, &name, &n) && !n ? 0 : 3);
	}
	check(pid > 0 && waitpid(pid, &status, 0) == pid && !status);
	check(said(b, "tasks.img': File too large"));
	return NULL;
}

static const char *t_unknown_fields(struct box *b)
{
	SampleNext next = SAMPLE_NEXT__INIT;
	struct image_set *s;
	struct image *i;

	next.has_news = 1;
	check(!image_set_create(&b->arena, b->dirfd, 0, &s) && !image_create(s, "tasks", &i));
	check(!image_append(i, 0, &next.base) && !image_finish(i) && !image_set_commit(s));
	check(read_set(b) < 0 && said(b, "image 'tasks': record 0: Sample has the unknown field 4000"));
	return NULL;
}

struct bad {
	const char *bytes;
	size_t len;
	const char *words;
};

static const struct bad bads[] = {
	{ "", 0, "Sample.int32 is missing" },
	{ "\x08", 1, "Sample.int32 is malformed" },
	{ "\x08\x01\x08\x01", 4, "Sample.int32 is given twice" },
	{ "\x08\x01\x70\x02", 4, "Sample.colour has an unknown value" },
	{ "\x08\x01\x7a\x03" "a\0b", 7, "Sample.text has a NUL byte inside" },
	{ "\x08\x01\x7a\x7f" "a", 5, "Sample.text is malformed" },
	{ "\x09\x01\x02\x03\x04\x05\x06\x07\x08", 9, "Sample.int32 is of another type" },
	{ "\x08\x01\x8a\x01\x00", 5, "Leaf.a is missing" },
	{ "\x08\x01\x9a\x01\x01\x80", 6, "Sample.packed_number is a malformed list" },
	{ "\x08\x01\xa2\x01\x01\x09", 6, "Sample.packed_colour has an unknown value" },
	{ "\x08\x01\xe2\x01\x01\x09", 6, "Sample.packed_fixed is a malformed list" },
	{ "\xff\xff\xff\xff\xff\xff", 6, "Sample is malformed" },
	{ "\x08\x01\x0b", 3, "Sample.int32 is malformed" }, /* a group */
};

static const char *t_malformed_messages(struct box *b)
{
	for (size_t k = 0; k < array_size(bads); k++) {
		struct wire_place at = { "tasks", 3 };
		ProtobufCMessage *m;
		struct span s = { bads[k].bytes, bads[k].len };

		check(wire_unpack(&b->arena, &at, &sample__descriptor, s, &m) == -EPROTO);
		check(said(b, bads[k].words));
	}
	return NULL;
}

static const char *t_deep_nesting(struct box *b)
{
	Sample *inner = arena_new(&b->arena, Sample);
	struct image_set *s;
	struct image *i;

	sample__init(inner);
	for (int n = 0; n < WIRE_NESTING_MAX; n++) {
		Sample *outer = arena_new(&b->arena, Sample);

		sample__init(outer);
		outer->inner = inner;
		inner = outer;
	}
	check(!image_set_create(&b->arena, b->dirfd, 0, &s) && !image_create(s, "tasks", &i));
	check(!image_append(i, 0, &inner->inner->base) && !image_append(i, 1, &inner->base));
	check(!image_finish(i) && !image_set_commit(s));
	check(read_set(b) < 0 && said(b, "image 'tasks': record 1: Sample.inner is nested too deeply"));
	return NULL;
}

/* Two bytes that stand for a message of hundreds, many times. */
static const char *t_memory_is_bounded(struct box *b)
{
	struct wire_place at = { "tasks", 0 };
	enum { N = 1 << 20 };
	char *p = arena_alloc(&b->arena, N);
	ProtobufCMessage *m;

	p[0] = 8;
	for (size_t i = 2; i + 7 <= N; i += 7)
		memcpy(p + i, "\xc2\x01\x04\xc2\x01\x01\x08", 7);
	check(wire_unpack(&b->arena, &at, &sample__descriptor, (struct span){ p, N }, &m) == -EPROTO);
	for (size_t i = 2; i + 2 <= N; i += 2)
		memcpy(p + i, "\x92\x01", 2); /* number: tags without values */
	check(wire_unpack(&b->arena, &at, &sample__descriptor, (struct span){ p, N }, &m) == -EPROTO);
	return NULL;
}

static const char *t_pages(struct box *b)
{
	enum { N = 300, PAGE = 4096 };
	char *all = arena_alloc(&b->arena, N * PAGE), *back = arena_alloc(&b->arena, N * PAGE);
	struct iovec iov[N + 1] = { 0 };
	struct image_set *s;
	struct page_store *p;
	uint64_t offset, hash;
	int fd;

	for (size_t i = 0; i < N * PAGE; i++)
		all[i] = (char)(i * 2654435761u >> 13);
	for (int i = 0; i < N; i++)
		iov[i] = (struct iovec){ all + i * PAGE, PAGE };
	iov[0].iov_len = 5; /* entries need not be pages themselves, or hold anything */
	iov[N] = (struct iovec){ all + 5, PAGE - 5 };
	check(!image_set_create(&b->arena, b->dirfd, 0, &s) && !page_store_create(s, 3, &p));
	check(!page_store_append(p, iov + 1, N - 1, &offset, &hash) && offset == 0);
	check(hash == page_hash(all + PAGE, (N - 1) * PAGE));
	iov[1] = iov[N];
	check(!page_store_append(p, iov, 2, &offset, &hash) && offset == (N - 1) * PAGE);
	check(hash == page_hash(all, PAGE));
	check(!page_store_finish(p) && !image_set_commit(s));
	check(!image_set_open(&b->arena, b->dirfd, &s) && !page_store_open(s, 3, &fd));
	check(!io_pread(fd, back, N * PAGE, 0) && !memcmp(back, all + PAGE, (N - 1) * PAGE));
	check(!memcmp(back + (N - 1) * PAGE, all, PAGE));
	fd_close(&fd);
	check(page_store_open(s, 0, &fd) < 0 && said(b, "image 'pages-0' is referred to"));
	return NULL;
}

static const char *print_both(struct box *b, struct image_set *s, char **ret_json, char **ret_text)
{
	size_t len;
	FILE *f = open_memstream(ret_json, &len);

	check(f && !image_print_json(s, "tasks", &sample__descriptor, f) && !fclose(f));
	f = open_memstream(ret_text, &len);
	check(f && !image_print_text(s, "tasks", &sample__descriptor, f) && !fclose(f));
	(void)b;
	return NULL;
}

static const char want_json[] =
	"{\"image\":\"tasks\",\"type\":\"Sample\",\"records\":[{\"id\":0,\"value\":{"
	"\"int32\":-2147483648,\"sint32\":-2147483648,\"sfixed32\":-2,\"int64\":-9223372036854775808,"
	"\"sint64\":-9223372036854775808,\"sfixed64\":9223372036854775807,\"uint32\":0,"
	"\"fixed32\":4294967295,\"uint64\":18446744073709551615,\"fixed64\":18446744073709551615,"
	"\"single\":0.5,\"real\":-0.10000000000000001,\"flag\":true,\"colour\":\"BLUE\","
	"\"text\":\"text \\\"0\\\"\\u000a\\u00ff\xc3\xa9\",\"raw\":\"0001feff\",\"leaf\":{\"a\":0},"
	"\"number\":[0,1,18446744073709551615],\"packed_number\":[-1,0,2147483647],"
	"\"packed_colour\":[\"RED\",\"BLUE\"],\"word\":[\"\",\"\"],\"leaves\":[{\"a\":0},{\"a\":1}],"
	"\"other\":\"other\"}}]}\n";

static const char *t_print(struct box *b)
{
	struct image_set *s;
	char *json, *text;
	const char *why;

	check(!image_set_create(&b->arena, b->dirfd, 0, &s));
	check(!write_image(s, &b->arena, "tasks", 1) && !image_set_commit(s));
	check(!image_set_open(&b->arena, b->dirfd, &s));
	why = print_both(b, s, &json, &text);
	if (why)
		return why;
	check(!strcmp(json, want_json));
	check(strstr(text, "tasks (Sample)\n0\n    int32 -2147483648\n"));
	check(strstr(text, "    colour BLUE\n") && strstr(text, "    leaves\n      a 0\n    leaves\n      a 1\n"));
	free(json);
	free(text);
	return NULL;
}

static const char *t_print_to_full_disk(struct box *b)
{
	struct image_set *s;
	FILE *f = fopen("/dev/full", "we");

	check(f && !setvbuf(f, NULL, _IONBF, 0) && !write_set(b, 0) && !image_set_open(&b->arena, b->dirfd, &s));
	check(image_print_json(s, "tasks", &sample__descriptor, f) == -EIO && said(b, "print image 'tasks'"));
	(void)fclose(f); /* what it says was said before */
	return NULL;
}

/* --- running them --- */

static const struct {
	const char *name;
	test_fn *run;
} tests[] = {
	{ "round trip of all types", t_round_trip },
	{ "many records", t_many_records },
	{ "a big record", t_big_record },
	{ "a record that is too big", t_record_too_big },
	{ "files are private", t_files_are_private },
	{ "truncation at every byte", t_truncated },
	{ "every flipped bit", t_flipped_bits },
	{ "reordered records", t_reordered },
	{ "swapped images", t_swapped_images },
	{ "garbage at the end", t_trailing_garbage },
	{ "foreign version and magic", t_foreign_version },
	{ "missing and surplus files", t_missing_and_surplus },
	{ "no commit record", t_no_commit },
	{ "one set in a directory", t_create_twice },
	{ "leftovers of a killed dump", t_leftovers },
	{ "foreign files stay", t_foreign_files_stay },
	{ "discard", t_discard },
	{ "full disk", t_disk_full },
	{ "unknown fields", t_unknown_fields },
	{ "malformed messages", t_malformed_messages },
	{ "deep nesting", t_deep_nesting },
	{ "memory is bounded", t_memory_is_bounded },
	{ "page store", t_pages },
	{ "print", t_print },
	{ "print to a full disk", t_print_to_full_disk },
};

static void box_init(struct box *b)
{
	const char *tmp = getenv("TMPDIR") ?: "/tmp";

	arena_init(&b->arena);
	(void)snprintf(b->path, sizeof(b->path), "%.40s/images-XXXXXX", tmp);
	b->log = memfd_create("log", MFD_CLOEXEC);
	if (b->log < 0 || !mkdtemp(b->path) || image_dir_open(b->path, false, &b->dirfd))
		bug(__FILE__, __LINE__, "a test needs a directory");
	log_setup(&(struct log_config){ .fd = b->log, .level = LOG_WARN });
}

static void box_deinit(struct box *b)
{
	const char *const *name;
	size_t n = 0;

	(void)io_list(&b->arena, b->dirfd, &name, &n); /* cleaning up as far as it goes */
	for (size_t i = 0; i < n; i++)
		if (unlinkat(b->dirfd, name[i], 0))
			(void)unlinkat(b->dirfd, name[i], AT_REMOVEDIR);
	(void)rmdir(b->path);
	fd_close(&b->dirfd);
	log_setup(&(struct log_config){ .fd = -1, .level = LOG_WARN });
	fd_close(&b->log);
	arena_deinit(&b->arena);
}

int main(void)
{
	int failed = 0;

	for (size_t i = 0; i < array_size(tests); i++) {
		struct box b;
		const char *why;

		box_init(&b);
		why = tests[i].run(&b);
		box_deinit(&b);
		failed += why != NULL;
		(void)printf("%s %s%s%s\n", why ? "not ok" : "ok", tests[i].name, why ? ": " : "", why ?: "");
	}
	(void)printf("%zu passed, %d failed, 0 skipped\n", array_size(tests) - (size_t)failed, failed);
	return failed != 0;
}
