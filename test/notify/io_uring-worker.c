/*
 * A ring whose requests go to a worker of the kernel, which is listed as a thread of the process
 * and stays for a while when it has nothing to do.
 */
/* harness: moves modes=restore,running,again */
#include "ring.h"

#include <fcntl.h>

static void write_by_worker(struct ring *r, int fd, const char *text)
{
	struct io_uring_sqe *s = ring_prepare(r, IORING_OP_WRITE, 5);

	s->fd = fd;
	s->addr = (uintptr_t)text;
	s->len = (uint32_t)strlen(text);
	s->off = -1ULL;
	s->flags = IOSQE_ASYNC;
	check(ring_submit(r, 1, 1) == 1);
	ring_expect(r, 5, (int)strlen(text));
}

int main(void)
{
	int fd = must(open("file", O_CREAT | O_RDWR, 0600));
	char buf[16] = "";
	struct ring r;

	ring_make(&r, 8, 0);
	write_by_worker(&r, fd, "fi");
	write_by_worker(&r, fd, "rst");
	checkpoint();
	write_by_worker(&r, fd, " second");
	check(pread(fd, buf, 15, 0) == 12 && !strcmp(buf, "first second"), "'%s'", buf);
	return test_end();
}
