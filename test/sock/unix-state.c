/*
 * What else a unix socket remembers: the urgent byte and its place, credentials of single messages,
 * SO_PEEK_OFF, an error of a peer that went without reading, names of peers that are gone, shutdown
 * before the connection, a name given to a pair, the owner of the socket, autobound names, names at
 * the ends of a connection.
 */
#include "test.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <linux/sockios.h>

static int urgent[2], cred[2], offset[2], error[2], before[2], bound[2], made[2];
static int lost_server, lost_client, server, waiting;
static struct sockaddr_un auto_name;
static socklen_t auto_len = sizeof(auto_name);
static int automatic, maker;

static struct sockaddr_un name_of(const char *text)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", text);
	return a;
}

static int listener(const char *text)
{
	struct sockaddr_un a = name_of(text);
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));

	must(bind(fd, (void *)&a, sizeof(a)) | listen(fd, 5));
	return fd;
}

static int client(int fd, const char *text)
{
	struct sockaddr_un a = name_of(text);

	must(connect(fd, (void *)&a, sizeof(a)));
	return fd;
}

static void make_connections(void)
{
	struct sockaddr_un mine = name_of("mine");
	int fd = listener("server"), peer;

	before[0] = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(shutdown(before[0], SHUT_WR));
	client(before[0], "server");
	before[1] = must(accept(fd, NULL, NULL));
	lost_server = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(bind(lost_server, (void *)&mine, sizeof(mine)));
	client(lost_server, "server");
	peer = must(accept(fd, NULL, NULL));
	must(write(peer, "rest", 4) | close(peer));
	peer = must(socket(AF_UNIX, SOCK_STREAM, 0));
	mine = name_of("passing");
	must(bind(peer, (void *)&mine, sizeof(mine)));
	client(peer, "server");
	lost_client = must(accept(fd, NULL, NULL));
	must(close(peer) | unlink("passing") | close(fd));
	server = listener("later");
	waiting = must(socket(AF_UNIX, SOCK_STREAM, 0));
	mine = name_of("waiting");
	must(bind(waiting, (void *)&mine, sizeof(mine)));
	client(waiting, "later");
}

static void make_pairs(void)
{
	struct sockaddr_un pair = name_of("pair");
	int status;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, urgent));
	must(send(urgent[0], "abc", 3, 0) | send(urgent[0], "!", 1, MSG_OOB) |
	     send(urgent[0], "def", 3, 0));
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, cred));
	must(setsockopt(cred[1], SOL_SOCKET, SO_PASSCRED, &(int){1}, 4));
	must(send(cred[0], "me", 2, 0));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, offset));
	must(setsockopt(offset[1], SOL_SOCKET, SO_PEEK_OFF, &(int){2}, 4));
	must(write(offset[0], "0123", 4));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, error));
	must(write(error[0], "unread", 6) | write(error[1], "data", 4) | close(error[1]));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, bound));
	must(bind(bound[0], (void *)&pair, sizeof(pair)));
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, made));
	must(fchown(made[0], 11, 12));
	automatic = must(socket(AF_UNIX, SOCK_DGRAM, 0));
	must(bind(automatic, (void *)&(sa_family_t){AF_UNIX}, sizeof(sa_family_t)));
	must(getsockname(automatic, (void *)&auto_name, &auto_len));
	if (!(maker = must(fork()))) { /* its message stays, it is gone */
		must(send(cred[0], "gone", 4, 0));
		_exit(0);
	}
	must(waitpid(maker, &status, 0));
}

static void expect_cred(const char *bytes, pid_t pid)
{
	char space[CMSG_SPACE(sizeof(struct ucred))] __attribute__((aligned(8))), buf[8];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = space,
			   .msg_controllen = sizeof(space)};
	struct cmsghdr *c;

	check(recvmsg(cred[1], &m, MSG_DONTWAIT) == (ssize_t)strlen(bytes) &&
	      !memcmp(buf, bytes, strlen(bytes)));
	c = CMSG_FIRSTHDR(&m);
	check(c && ((struct ucred *)(void *)CMSG_DATA(c))->pid == pid, "%d",
	      c ? ((struct ucred *)(void *)CMSG_DATA(c))->pid : -1);
}

static void check_peer(int fd, const char *own, const char *peer)
{
	struct sockaddr_un a = {0}, b = {0};

	check(!getsockname(fd, (void *)&a, &(socklen_t){sizeof(a)}) && !strcmp(a.sun_path, own),
	      "'%s'", a.sun_path);
	check(!getpeername(fd, (void *)&b, &(socklen_t){sizeof(b)}) && !strcmp(b.sun_path, peer),
	      "'%s'", b.sun_path);
}

static void check_pairs(void)
{
	struct pollfd p = {error[0], 0, 0};
	struct sockaddr_un a = {0};
	socklen_t len = sizeof(a);
	struct stat st;
	char buf[16];
	int mark = -1;

	check(read(urgent[1], buf, 16) == 3 && !memcmp(buf, "abc", 3));
	check(!ioctl(urgent[1], SIOCATMARK, &mark) && mark == 1);
	check(recv(urgent[1], buf, 1, MSG_OOB) == 1 && buf[0] == '!');
	check(read(urgent[1], buf, 16) == 3 && !memcmp(buf, "def", 3));
	expect_cred("me", getpid());
	expect_cred("gone", maker);
	check(recv(offset[1], buf, 16, MSG_PEEK) == 2 && buf[0] == '2');
	check(read(offset[1], buf, 16) == 4);
	check(poll(&p, 1, 0) == 1 && p.revents & POLLERR && p.revents & POLLHUP, "%x", p.revents);
	check(read(error[0], buf, 16) == 4 && read(error[0], buf, 16) == -1 && errno == ECONNRESET,
	      "%d", errno);
	check_peer(bound[1], "", "pair");
	check(write(bound[1], "x", 1) == 1 && read(bound[0], buf, 16) == 1);
	check(!fstat(made[0], &st) && st.st_uid == 11 && st.st_gid == 12);
	check(!getsockname(automatic, (void *)&a, &len) && len == auto_len &&
	      !memcmp(&a, &auto_name, len));
}

int main(void)
{
	char buf[16];

	make_pairs();
	make_connections();
	checkpoint();
	check_pairs();
	check(send(before[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	check(write(before[1], "hello", 5) == 5 && read(before[0], buf, 16) == 5);
	check(recv(before[1], buf, 16, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	check_peer(before[0], "", "server");
	check_peer(lost_server, "mine", "server");
	check(read(lost_server, buf, 16) == 4 && read(lost_server, buf, 16) == 0);
	check_peer(waiting, "waiting", "later");
	check_peer(accept(server, NULL, NULL), "later", "waiting");
	check_peer(lost_client, "server", "passing");
	check(read(lost_client, buf, 16) == 0);
	return test_end();
}
