/*
 * Pairs of unix sockets: what waits in both directions with its boundaries, empty messages, one
 * side shut down, the peer gone, ends in different tasks, who made them.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/socket.h>

static int stream[2], packet[2], single[2], datagram[2];

static void child(void *arg)
{
	char buf[16];

	(void)arg;
	must(close(stream[0]));
	checkpoint_wait();
	check(read(stream[1], buf, 16) == 6 && !memcmp(buf, "stream", 6));
	check(write(stream[1], "answer", 6) == 6);
	check(send(packet[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
}

int main(void)
{
	struct ucred c;
	socklen_t len = sizeof(c);
	char buf[16];

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, stream));
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, packet));
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, single));
	must(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, datagram));
	must(write(stream[0], "stream", 6));
	must(write(packet[0], "one", 3));
	must(write(packet[0], "three", 5));
	must(shutdown(packet[0], SHUT_WR));
	must(write(single[0], "last", 4));
	must(write(single[0], "", 0));
	must(write(single[0], "words", 5));
	must(close(single[0]));
	must(write(datagram[0], "", 0));
	must(write(datagram[0], "d", 1));
	task_run(child, NULL);
	must(close(stream[1]));
	checkpoint();
	check(read(stream[0], buf, 16) == 6 && !memcmp(buf, "answer", 6));
	check(read(packet[1], buf, 16) == 3 && read(packet[1], buf, 16) == 5 &&
	      !read(packet[1], buf, 16));
	check(read(single[1], buf, 16) == 4 && !read(single[1], buf, 16) &&
	      read(single[1], buf, 16) == 5);
	check(!read(datagram[1], buf, 16) && read(datagram[1], buf, 16) == 1);
	check(read(datagram[1], buf, 16) == -1 && errno == EAGAIN);
	check(fcntl(packet[1], F_GETFD) == FD_CLOEXEC);
	check(!getsockopt(packet[0], SOL_SOCKET, SO_PEERCRED, &c, &len) && c.pid == getpid());
	return test_end();
}
