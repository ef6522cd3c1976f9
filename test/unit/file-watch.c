/*
 * What fdinfo says about watched files and about rings of io_uring: lines as Linux 6.18 writes
 * them, and malformed ones.
 */
#include <errno.h>
#include <sys/sysmacros.h>

#include "core/file/inode-find.h"
#include "core/file/ring.h"
#include "procbox.h"

static const char *test_watch(struct arena *a)
{
	struct inode_number n;

	check(!inode_number_parse(a, span_of("wd:3 ino:a724ad sdev:800013 mask:fce ignored_mask:0 "
					     "fhandle-bytes:8 fhandle-type:1 "
					     "f_handle:ad24a7007c5b796a"),
				  &n));
	check(n.ino == 0xa724ad && n.dev == makedev(8, 0x13) && n.handle_type == 1);
	check(n.handle_bytes == 8 && n.handle[0] == 0xad && n.handle[7] == 0x6a);
	check(!inode_number_parse(a, span_of("wd:1 ino:1 sdev:2b mask:1 ignored_mask:0 "), &n));
	check(n.dev == makedev(0, 0x2b) && !n.handle_bytes);
	check(inode_number_parse(a, span_of("wd:1 sdev:2b mask:1"), &n) == -EINVAL);
	check(inode_number_parse(a, span_of("ino:1 sdev:2b fhandle-bytes:8 fhandle-type:1 "
					    "f_handle:ad"),
				 &n) == -EINVAL);
	check(inode_number_parse(a, span_of("ino:1 sdev:2b fhandle-bytes:1 fhandle-type:1 "
					    "f_handle:zz"),
				 &n) == -EINVAL);
	return NULL;
}

static const char *test_ring(struct arena *a)
{
	struct fdinfo i = {.text = fixture(a, "fdinfo-io_uring")};
	struct ring_info u;

	check(!ring_info(&i, &u) && u.sq_entries == 64 && u.cq_entries == 128 && !u.polls);
	check(u.cached_sq_head == 7 && u.sq_tail == 8 && u.cq_head == 5 && u.cached_cq_tail == 6);
	check(!u.overflow && !u.sq_thread && !u.napi);
	i.text = edit(a, i.text, "PollList:\n", "PollList:\n  op=6, task_works=0\n");
	check(!ring_info(&i, &u) && u.polls && !u.overflow);
	i.text = span_of("pos:\t0\n");
	check(ring_info(&i, &u) == -EAGAIN);
	i.text = span_of("SqHead:\t1\nPollList:\nSqMask:\t0\n");
	check(ring_info(&i, &u) == -EINVAL);
	return NULL;
}

static const struct test tests[] = {
	{ "watched files", test_watch },
	{ "rings", test_ring },
};

int main(void)
{
	return run_tests(tests, array_size(tests));
}
