/*
 * Unix datagram sockets: a receiver with a path and many senders, connected and not, in another
 * process, closed ones; their names with the messages; one connected to itself; a receiver whose
 * path is gone; messages of no bytes; two that are connected with each other, and many messages.
 */
#include "test.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un name_of(const char *text)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", text);
	return a;
}

static int bound(const char *text)
{
	struct sockaddr_un a = name_of(text);
	int fd = must(socket(AF_UNIX, SOCK_DGRAM, 0));

	must(bind(fd, (void *)&a, sizeof(a)));
	return fd;
}

static int to(int fd, const char *text)
{
	struct sockaddr_un a = name_of(text);

	return connect(fd, (void *)&a, sizeof(a)) ? -errno : fd;
}

static void expect(int fd, const char *bytes, const char *from)
{
	struct sockaddr_un a = {0};
	socklen_t len = sizeof(a);
	char buf[32] = {0};
	ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (void *)&a, &len);

	check(n == (ssize_t)strlen(bytes) && !strcmp(buf, bytes), "%zd '%s' and not '%s'", n, buf,
	      bytes);
	check(from ? !strcmp(a.sun_path, from) : len <= 2, "from '%s'", a.sun_path);
}

enum { MANY = 30 };
static int server, named, unnamed, self, ghost, ghost_client, left, right;

static void child(void *arg)
{
	int fd = must(to(socket(AF_UNIX, SOCK_DGRAM, 0), "server"));

	(void)arg;
	must(send(fd, "child", 5, 0));
	checkpoint_wait();
	check(send(fd, "again", 5, MSG_DONTWAIT) == 5);
}

int main(void)
{
	int gone;

	server = bound("server");
	named = bound("named");
	must(to(named, "server"));
	unnamed = must(to(socket(AF_UNIX, SOCK_DGRAM, 0), "server"));
	must(send(named, "first", 5, 0) | send(unnamed, "second", 6, 0) | send(named, "", 0, 0));
	gone = bound("gone");
	must(to(gone, "server"));
	must(send(gone, "third", 5, 0) | close(gone) | unlink("gone"));
	self = bound("self");
	must(to(self, "self"));
	must(send(self, "me", 2, 0));
	ghost = bound("ghost");
	ghost_client = must(to(socket(AF_UNIX, SOCK_DGRAM, 0), "ghost"));
	must(unlink("ghost"));
	must(send(ghost_client, "boo", 3, 0));
	left = bound("left");
	right = bound("right");
	must(to(left, "right"));
	must(to(right, "left"));
	for (int i = 0; i < MANY; i++)
		must(send(left, "many", 4, 0));
	task_run(child, NULL);
	checkpoint();
	expect(server, "first", "named");
	expect(server, "second", NULL);
	expect(server, "", "named");
	expect(server, "third", "gone");
	expect(server, "child", NULL);
	expect(self, "me", "self");
	expect(ghost, "boo", NULL);
	check(send(ghost_client, "x", 1, 0) == 1);
	expect(ghost, "x", NULL);
	for (int i = 0; i < MANY; i++)
		expect(right, "many", "left");
	check(access("ghost", F_OK) && access("gone", F_OK));
	check(send(named, "x", 1, 0) == 1 && send(self, "y", 1, 0) == 1);
	expect(self, "y", "self");
	check(to(socket(AF_UNIX, SOCK_DGRAM, 0), "server") >= 0);
	return test_end();
}
