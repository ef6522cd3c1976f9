/*
 * Descriptors under way: several in one message and in the middle of a stream, both ends of a pipe,
 * a file that nobody else holds, one the sender keeps, a socket in its own queue, sockets that
 * contain each other, an epoll set that watches the carrying socket, a pidfd, as many as fit.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { MOST = 253 };

static void put(int to, const char *bytes, const int *fd, size_t n)
{
	char space[CMSG_SPACE(MOST * sizeof(int))] __attribute__((aligned(8))) = {0};
	struct iovec iov = {(void *)bytes, strlen(bytes)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = space,
			   .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*c = (struct cmsghdr){CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(c), fd, n * sizeof(int));
	must(sendmsg(to, &m, 0));
}

static size_t take(int from, const char *bytes, int *fd)
{
	char space[CMSG_SPACE(MOST * sizeof(int))] __attribute__((aligned(8))) = {0};
	char buf[64] = {0};
	struct iovec iov = {buf, strlen(bytes)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = space,
			   .msg_controllen = sizeof(space)};
	ssize_t n = recvmsg(from, &m, MSG_DONTWAIT);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	size_t count = c ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

	check(n == (ssize_t)strlen(bytes) && !memcmp(buf, bytes, strlen(bytes)), "%zd '%s'", n,
	      buf);
	if (c)
		memcpy(fd, CMSG_DATA(c), count * sizeof(int));
	return count;
}

static void pair(int type, int fd[2])
{
	must(socketpair(AF_UNIX, type, 0, fd));
}

static bool same(int a, int b)
{
	return !syscall(SYS_kcmp, getpid(), getpid(), 0, a, b);
}

int main(void)
{
	int stream[2], packet[2], own[2], a[2], b[2], poll[2], many[2], p[2], process[2];
	int fd[MOST];
	int file, kept, n;
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = 7};
	char buf[16] = {0};

	pair(SOCK_STREAM, stream);
	pair(SOCK_SEQPACKET, packet);
	pair(SOCK_DGRAM, own);
	pair(SOCK_STREAM, a);
	pair(SOCK_STREAM, b);
	pair(SOCK_STREAM, poll);
	pair(SOCK_DGRAM, many);
	must(pipe(p));
	must(write(p[1], "in the pipe", 11));
	file = must(open("file", O_CREAT | O_RDWR, 0600));
	must(write(file, "0123456789", 10));
	must(lseek(file, 4, SEEK_SET));
	kept = must(open("kept", O_CREAT | O_RDWR, 0600));
	must(write(stream[0], "aaa", 3));
	put(stream[0], "bbb", p, 2);
	must(write(stream[0], "ccc", 3));
	put(packet[0], "file", (int[]){file, kept}, 2);
	must(close(p[0]) | close(p[1]) | close(file));
	put(own[0], "self", (int[]){own[1]}, 1); /* in its own queue */
	put(a[0], "b", (int[]){b[1]}, 1);
	put(b[0], "a", (int[]){a[1]}, 1);
	must(close(b[1]));
	n = must(epoll_create1(0));
	must(epoll_ctl(n, EPOLL_CTL_ADD, poll[1], &e));
	put(poll[0], "epoll", &n, 1);
	must(close(n));
	for (int i = 0; i < MOST; i++)
		fd[i] = kept;
	put(many[0], "many", fd, MOST);
	pair(SOCK_STREAM, process);
	n = (int)must(syscall(SYS_pidfd_open, getpid(), 0));
	put(process[0], "pidfd", &n, 1);
	must(close(n));
	must(close(many[0]));
	checkpoint();
	check(take(stream[1], "aaa", fd) == 0);
	check(take(stream[1], "bbb", fd) == 2);
	check(read(fd[0], buf, 16) == 11 && !memcmp(buf, "in the pipe", 11));
	check(take(stream[1], "ccc", fd) == 0);
	check(take(packet[1], "file", fd) == 2 && read(fd[0], buf, 16) == 6 && buf[0] == '4');
	check(same(fd[1], kept));
	check(take(own[1], "self", fd) == 1 && same(fd[0], own[1]));
	check(take(a[1], "b", fd) == 1);
	n = fd[0];
	check(take(n, "a", fd) == 1 && same(fd[0], a[1]));
	check(take(poll[1], "epoll", fd) == 1 && epoll_wait(fd[0], &e, 1, 0) == 0);
	check(write(poll[0], "x", 1) == 1 && epoll_wait(fd[0], &e, 1, 0) == 1 && e.data.u64 == 7);
	check(take(many[1], "many", fd) == MOST && same(fd[MOST - 1], kept));
	check(take(process[1], "pidfd", fd) == 1);
	check(!syscall(SYS_pidfd_send_signal, fd[0], 0, NULL, 0));
	return test_end();
}
