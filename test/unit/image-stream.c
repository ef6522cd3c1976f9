/*
 * A set as a stream: the same set comes out of a pipe, and a stream that was cut or damaged is
 * never taken for a set.
 */
#include <sys/wait.h>

#include "imagebox.h"

static int write_stream(struct box *b, int fd, size_t n_pages)
{
	struct image_set *s;
	int r = image_stream_create(&b->arena, fd, IMAGE_SET_SYNC, &s);

	r = r ?: fill_set(s, &b->arena) ?: n_pages ? write_pages(s, n_pages) : 0;
	r = r ?: image_set_commit(s);
	if (!r)
		image_set_close(s);
	return r;
}

/* Reads a stream made of these bytes, in an arena of its own. */
static int read_bytes(const char *p, size_t len)
{
	_close_ int fd = memfd_create("stream", MFD_CLOEXEC);
	struct image_set *s;
	struct arena a;
	int r;

	arena_init(&a);
	r = io_write(fd, p, len) ?: lseek(fd, 0, SEEK_SET) ? -EIO : 0;
	r = r ?: image_stream_open(&a, fd, &s) ?: read_all(s);
	arena_deinit(&a);
	return r;
}

static int stream_bytes(struct box *b, size_t n_pages, struct span *ret)
{
	_close_ int fd = memfd_create("stream", MFD_CLOEXEC);
	int r = write_stream(b, fd, n_pages) ?: lseek(fd, 0, SEEK_SET) ? -EIO : 0;

	return r ?: io_slurp(&b->arena, fd, ret);
}

static const char *check_pages(struct image_set *s, size_t n)
{
	char page[4096];
	int fd;

	check(!page_store_open(s, 0, &fd));
	for (size_t i = 0; i < n; i++)
		check(!io_pread(fd, page, sizeof(page), i * sizeof(page)) && page[77] == (char)i);
	check(io_pread(fd, page, 1, n * sizeof(page)) == -ENODATA);
	fd_close(&fd);
	check(page_store_open(s, 1, &fd) == -EPROTO);
	return NULL;
}

static const char *t_pipe(struct box *b)
{
	enum { PAGES = 200 };
	struct image_set *s;
	const char *why;
	int p[2], status;
	char rest = 0;
	pid_t pid;

	check(!pipe2(p, O_CLOEXEC));
	(void)fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(write_stream(b, p[1], PAGES) || io_write(p[1], "!", 1));
	check(!image_stream_open(&b->arena, p[0], &s));
	check(read(p[0], &rest, 1) == 1 && rest == '!'); /* nothing behind the set is eaten */
	check(waitpid(pid, &status, 0) == pid && !status);
	why = check_pages(s, PAGES);
	fd_close(&p[0]);
	fd_close(&p[1]);
	return why ?: read_all(s) ? "its records cannot be read" : NULL;
}

static const char *t_truncated(struct box *b)
{
	struct span all;

	check(!stream_bytes(b, 2, &all) && !read_bytes(all.p, all.len));
	for (size_t len = 0; len < all.len; len++)
		check(read_bytes(all.p, len) < 0);
	check(said(b, "holds no complete checkpoint (no commit record)"));
	return NULL;
}

static const char *t_flipped_bits(struct box *b)
{
	struct span all;
	char *p;

	check(!stream_bytes(b, 0, &all));
	p = arena_memdup(&b->arena, all.p, all.len);
	for (size_t bit = 0; bit < all.len * 8; bit++) {
		p[bit / 8] ^= (char)(1 << bit % 8);
		check(read_bytes(p, all.len) < 0);
		p[bit / 8] ^= (char)(1 << bit % 8);
	}
	check(!read_bytes(p, all.len));
	return NULL;
}

static const char *t_full_disk(struct box *b)
{
	_close_ int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	check(fd >= 0 && write_stream(b, fd, 1) == -ENOSPC);
	check(said(b, "write to the stream '/dev/full': No space left on device"));
	return NULL;
}

static const struct test tests[] = {
	{"through a pipe", t_pipe},
	{"truncation at every byte", t_truncated},
	{"every flipped bit", t_flipped_bits},
	{"full disk", t_full_disk},
};

int main(void)
{
	return run_tests(tests, array_size(tests));
}
