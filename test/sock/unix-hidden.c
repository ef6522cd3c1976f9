/*
 * Unix sockets below a directory that a mount covers: a listener, connections to it, a datagram
 * receiver. Names and connections stay.
 */
#include "test.h"

#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static const struct sockaddr_un server = { AF_UNIX, "a/b/server" }, box = { AF_UNIX, "a/box" };

static void check_name(int fd, const struct sockaddr_un *want)
{
	struct sockaddr_un a = { 0 };

	check(!getsockname(fd, (void *)&a, &(socklen_t){ sizeof(a) }) &&
		      !strcmp(a.sun_path, want->sun_path),
	      "%s", a.sun_path);
}

static void check_both_ways(int one, int other)
{
	char buf[16] = "";

	check(read(other, buf, 16) == 6 && !strcmp(buf, "before"), "%s", buf);
	check(write(other, "back", 4) == 4 && read(one, buf, 16) == 4);
	check(write(one, "again", 5) == 5 && read(other, buf, 16) == 5);
}

int main(void)
{
	int listener, client, accepted, receiver, sender;

	must(mkdir("a", 0700) | mkdir("a/b", 0700));
	listener = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(bind(listener, (void *)&server, sizeof(server)) | listen(listener, 4));
	client = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(connect(client, (void *)&server, sizeof(server)));
	accepted = must(accept(listener, NULL, NULL));
	must(write(client, "before", 6));
	receiver = must(socket(AF_UNIX, SOCK_DGRAM, 0));
	must(bind(receiver, (void *)&box, sizeof(box)));
	sender = must(socket(AF_UNIX, SOCK_DGRAM, 0));
	must(connect(sender, (void *)&box, sizeof(box)));
	must(write(sender, "before", 6));
	if (mount("none", "a", "tmpfs", 0, NULL))
		skip("no mounts here");
	checkpoint();
	check_name(listener, &server);
	check_name(accepted, &server);
	check_name(receiver, &box);
	check_both_ways(client, accepted);
	check(read(receiver, (char[16]){ 0 }, 16) == 6 && write(sender, "more", 4) == 4);
	check(read(receiver, (char[16]){ 0 }, 16) == 4);
	check(access("a/box", F_OK) && errno == ENOENT);
	must(umount2("a", MNT_DETACH));
	check(!access("a/b/server", F_OK) && !access("a/box", F_OK));
	check(write(sender, "last", 4) == 4 && read(receiver, (char[16]){ 0 }, 16) == 4);
	return test_end();
}
