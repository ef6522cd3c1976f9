/*
 * Sets of images, without root: what goes in comes out, and whatever else may have happened to the
 * files is noticed before a record is handed out.
 */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <xxhash.h>

#include "base/fault.h"
#include "imagebox.h"

static struct span slurp(struct box *b, const char *name)
{
	struct span s = {0};

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
	check(image_next(i, &sample__descriptor, &id, &m) == 1 &&
	      ((Sample *)m)->raw.len == big.raw.len);
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
	static const char *const names[] = {"commit.img", "tasks.img", "empty.img", "pages-0.img"};

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
	static const char *const names[] = {"commit.img", "head.img", "empty.img"};

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
	check(!renameat(b->dirfd, "head.img", b->dirfd, "x") &&
	      !renameat(b->dirfd, "tasks.img", b->dirfd, "head.img"));
	check(!renameat(b->dirfd, "x", b->dirfd, "tasks.img") && read_set(b) < 0);
	return NULL;
}

static const char *t_trailing_garbage(struct box *b)
{
	struct span all;

	check(!write_set(b, 0));
	all = slurp(b, "tasks.img");
	check(!spit(b, "tasks.img", arena_grow(&b->arena, (void *)all.p, all.len, all.len + 1),
		    all.len + 1));
	check(read_set(b) < 0 && said(b, "image 'tasks' has garbage at its end"));
	check(!spit(b, "tasks.img", all.p, all.len));
	all = slurp(b, "commit.img");
	check(!spit(b, "commit.img", arena_grow(&b->arena, (void *)all.p, all.len, all.len + 1),
		    all.len + 1));
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
	check(!unlinkat(b->dirfd, "more.img", 0) && !unlinkat(b->dirfd, "tasks.img", 0) &&
	      read_set(b) < 0);
	check(said(b, "image 'tasks' is missing"));
	check(!mkdirat(b->dirfd, "tasks.img", 0700) && read_set(b) < 0 &&
	      said(b, "no regular file"));
	check(!unlinkat(b->dirfd, "tasks.img", AT_REMOVEDIR));
	check(!symlinkat("head.img", b->dirfd, "tasks.img") && read_set(b) < 0 &&
	      said(b, "no regular file"));
	return NULL;
}

static const char *t_no_commit(struct box *b)
{
	struct image_set *s;
	char missing[80];
	int fd;

	check(image_set_open(&b->arena, b->dirfd, &s) < 0);
	check(said(b,
		   arena_printf(&b->arena, "'%s' holds no complete checkpoint (no commit record)",
				b->path)));
	check(!write_set(b, 0) && !unlinkat(b->dirfd, "commit.img", 0) && read_set(b) < 0);
	check(said(b, "no commit record"));
	(void)snprintf(missing, sizeof(missing), "%s/missing", b->path);
	check(image_dir_open(missing, false, &fd) == -ENOENT &&
	      said(b, "missing': No such file or directory"));
	return NULL;
}

static const char *t_create_twice(struct box *b)
{
	struct image_set *s, *t;
	struct image *i;

	check(!image_set_create(&b->arena, b->dirfd, 0, &s));
	check(image_set_create(&b->arena, b->dirfd, 0, &t) < 0 &&
	      said(b, "another dump writes to"));
	check(!image_create(s, "head", &i) && !image_finish(i) && !image_set_commit(s));
	image_set_close(s);
	check(image_set_create(&b->arena, b->dirfd, 0, &s) == -EEXIST &&
	      said(b, "holds a checkpoint already"));
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
	check(!write_image(s, &b->arena, "tasks", 3) && !write_pages(s, 1) &&
	      !image_create(s, "open", &i));
	image_set_discard(s);
	check(!io_list(&b->arena, b->dirfd, &name, &n) && n == 1 && !strcmp(name[0], "dump.log"));
	return NULL;
}

static const char *t_disk_full(struct box *b)
{
	struct rlimit limit = {100000, 100000};
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
		r = !write_image(s, &b->arena, "tasks", 5000) && image_set_commit(s) == -EFBIG &&
		    write_pages(s, 5000) == -EFBIG;
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
	check(read_set(b) < 0 &&
	      said(b, "image 'tasks': record 0: Sample has the unknown field 4000"));
	return NULL;
}

/* Whichever call fails: it is said, nothing half-done passes for a set, and the next one works. */
static const char *t_every_failing_call(struct box *b)
{
	int failures = 0;

	for (int n = 1; n < 100; n++) {
		int r;

		wipe(b);
		check(!fault_setup(arena_printf(&b->arena, "dump:%d:28", n)));
		r = write_set(b, IMAGE_SET_SYNC);
		check(!fault_setup("dump:1000000:28"));
		failures += r < 0;
		check(r == 0 || said(b, ": No space left on device"));
		check((read_set(b) == 0) == (r == 0));
		check(!write_set(b, IMAGE_SET_REPLACE) && !read_set(b) && said(b, ""));
	}
	check(failures > 10 && failures < 80);
	return NULL;
}

/* Killed at any call: what is left is a whole set or none, and the next dump takes the place. */
static const char *t_killed_anywhere(struct box *b)
{
	int status = 1, n;

	for (n = 1; n < 100 && status; n++) {
		bool complete;
		pid_t pid;

		wipe(b);
		(void)fflush(stdout);
		pid = fork();
		if (!pid) {
			(void)fault_setup(arena_printf(&b->arena, "dump:%d:kill", n));
			_exit(write_set(b, IMAGE_SET_SYNC));
		}
		check(waitpid(pid, &status, 0) == pid);
		check(!status || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
		complete = !faccessat(b->dirfd, "commit.img", F_OK, 0);
		check((read_set(b) == 0) == complete && (complete || status));
		check(!write_set(b, IMAGE_SET_REPLACE) && !read_set(b));
	}
	check(n > 20 && !status);
	return NULL;
}

static const char *t_every_failing_read(struct box *b)
{
	int failures = 0;

	check(!write_set(b, 0));
	for (int n = 1; n < 60; n++) {
		check(!fault_setup(arena_printf(&b->arena, "dump:%d:5", n)));
		failures += read_set(b) < 0 && said(b, ": Input/output error");
		check(!fault_setup("dump:1000000:5"));
	}
	check(failures > 10 && failures < 50 && !read_set(b));
	return NULL;
}

static const struct test tests[] = {
	{"round trip of all types", t_round_trip},
	{"many records", t_many_records},
	{"a big record", t_big_record},
	{"a record that is too big", t_record_too_big},
	{"files are private", t_files_are_private},
	{"truncation at every byte", t_truncated},
	{"every flipped bit", t_flipped_bits},
	{"reordered records", t_reordered},
	{"swapped images", t_swapped_images},
	{"garbage at the end", t_trailing_garbage},
	{"foreign version and magic", t_foreign_version},
	{"missing and surplus files", t_missing_and_surplus},
	{"no commit record", t_no_commit},
	{"one set in a directory", t_create_twice},
	{"leftovers of a killed dump", t_leftovers},
	{"foreign files stay", t_foreign_files_stay},
	{"discard", t_discard},
	{"full disk", t_disk_full},
	{"unknown fields", t_unknown_fields},
	{"every failing call", t_every_failing_call},
	{"killed at any call", t_killed_anywhere},
	{"every failing call of a reader", t_every_failing_read},
};

int main(void)
{
	return run_tests(tests, array_size(tests));
}
