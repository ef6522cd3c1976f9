/*
 * What waits in the queues of a TCP connection, which may be hundreds of megabytes. A few go into
 * the record of the connection. More are read into a memfd and from there into the page store, like
 * shared memory; on restore they are read into memory for as long as the queues are filled. The
 * coordinator fills those: it has the page stores open. At any moment the tool has the bytes of one
 * such connection mapped; until they are in the page store they stay in memory, as in the kernel.
 */
#include "sock/tcp-queue.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/memory/memory-kind.h"
#include "kernel/sys.h"

enum { INLINE_BYTES = 1 << 20, PAGE = 4096 };

static size_t round_up(size_t len)
{
	return (len + PAGE - 1) & ~(size_t)(PAGE - 1);
}

/* The last queue has its additional byte behind the end of the file, or of its last page. */
static int map_bytes(int fd, size_t len, struct tcp_queue *ret)
{
	size_t map_len = round_up(len) + PAGE;
	long at = sys(SYS_mmap, NULL, map_len, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at < 0)
		return (int)at;
	ret->map = (void *)(uintptr_t)at;
	ret->map_len = map_len;
	if (fd >= 0)
		at = sys(SYS_mmap, at, round_up(len), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0);
	return at < 0 ? (int)at : 0;
}

static int make_file(struct dump *d, size_t len, TcpConnection *c, struct tcp_queue *ret)
{
	int fd = -1, r = io_memfd("queues", &fd);

	if (!r)
		r = io_truncate(fd, round_up(len));
	if (!r)
		r = map_bytes(fd, len, ret);
	if (r)
		return fail(r, "memory for %zu bytes in the queues of a connection", len);
	c->has_content = c->has_content_send = c->has_content_receive = true;
	c->content_send = (uint32_t)ret->send_len;
	c->content_receive = (uint32_t)ret->receive_len;
	/* It stays open until the tool ends: the bytes are fetched by this name. */
	c->content = memory_queue_content(d, AT_FDCWD,
					  arena_printf(&d->arena, "/proc/self/fd/%d", fd));
	return 0;
}

int tcp_queue_make(struct dump *d, size_t send, size_t receive, TcpConnection *c,
		   struct tcp_queue *ret)
{
	struct tcp_queue q = { .send_len = send, .receive_len = receive };
	int r = 0;

	if (send + receive > INLINE_BYTES) {
		r = make_file(d, send + receive, c, &q);
		q.send = q.map;
	} else {
		q.send = arena_alloc(&d->arena, send + receive + 1);
		c->send = (ProtobufCBinaryData){ send, q.send };
		c->receive = (ProtobufCBinaryData){ receive, q.send + send };
	}
	q.receive = q.send + send; /* read behind the other, whose additional byte lies there */
	if (!r)
		*ret = q;
	return r;
}

int tcp_queue_load(struct restore *r, const TcpConnection *c, struct tcp_queue *ret)
{
	size_t len = (size_t)c->content_send + c->content_receive;
	struct tcp_queue q = { c->send.data, c->receive.data, c->send.len, c->receive.len,
			       NULL, 0 };
	int e;

	if (c->has_content) {
		e = map_bytes(-1, len, &q);
		if (e)
			return fail(e, "memory for %zu bytes in the queues of a connection", len);
		e = memory_load_content(r, c->content, q.map, round_up(len));
		if (e)
			return e;
		q.send = q.map;
		q.receive = q.send + c->content_send;
		q.send_len = c->content_send;
		q.receive_len = c->content_receive;
	}
	*ret = q;
	return 0;
}

void tcp_queue_done(struct tcp_queue *q)
{
	if (q->map)
		(void)sys(SYS_munmap, q->map, q->map_len); /* ours */
	q->map = NULL;
}

int tcp_queue_check(struct restore *r, const TcpConnection *c)
{
	uint64_t len = (uint64_t)c->content_send + c->content_receive;

	if (!c->has_content)
		return 0;
	if (c->send.len || c->receive.len || c->content_send > INT32_MAX ||
	    c->content_receive > INT32_MAX)
		return fail(-EPROTO, "image 'tcp': impossible queues of %" PRIu64 " bytes", len);
	return memory_check_content(r, c->content, round_up(len));
}

size_t tcp_queue_send_len(const TcpConnection *c)
{
	return c->has_content ? c->content_send : c->send.len;
}
