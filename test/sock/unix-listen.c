/*
 * Listening unix sockets by absolute path, relative path and abstract name with zero bytes;
 * accepted connections keep the name; connections that wait to be accepted, with what was sent, of
 * clients that are there and of one that is gone; mode and owner of the file; who listened.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct server {
	struct sockaddr_un name;
	socklen_t len;
	int listener, client, accepted, waiting;
};

static struct sockaddr_un name_of(const char *text, size_t n)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memcpy(a.sun_path, text, n);
	return a;
}

static int client_of(const struct server *s)
{
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));

	return connect(fd, (void *)&s->name, s->len) ? -errno : fd;
}

static void start(struct server *s, const char *text, size_t n)
{
	int gone;

	s->name = name_of(text, n);
	s->len = (socklen_t)(sizeof(sa_family_t) + n);
	s->listener = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(bind(s->listener, (void *)&s->name, s->len));
	must(listen(s->listener, 4));
	s->client = must(client_of(s));
	s->accepted = must(accept(s->listener, NULL, NULL));
	s->waiting = must(client_of(s));
	must(write(s->client, "one", 3) | write(s->accepted, "four", 4));
	must(write(s->waiting, "sooner ", 7));
	gone = must(client_of(s));
	must(write(gone, "I was", 5) | write(gone, " here", 5) | close(gone));
}

static void check_name(const struct server *s, int fd, bool peer)
{
	struct sockaddr_un a = {0};
	socklen_t len = sizeof(a);
	int r = peer ? getpeername(fd, (void *)&a, &len) : getsockname(fd, (void *)&a, &len);

	check(!r && !memcmp(a.sun_path, s->name.sun_path, s->len - 2) && len >= s->len, "%d %u %s",
	      r, len, a.sun_path);
}

static void check_server(const struct server *s)
{
	char buf[16];
	int fd, more = client_of(s);

	check_name(s, s->listener, false);
	check_name(s, s->accepted, false);
	check_name(s, s->client, true);
	check_name(s, s->waiting, true);
	check(read(s->accepted, buf, 16) == 3 && read(s->client, buf, 16) == 4);
	check(write(s->waiting, "later", 5) == 5);
	fd = accept(s->listener, NULL, NULL);
	check(fd >= 0 && read(fd, buf, 16) == 12 && !memcmp(buf, "sooner later", 12));
	fd = accept(s->listener, NULL, NULL);
	check(fd >= 0 && read(fd, buf, 16) == 10 && !memcmp(buf, "I was here", 10));
	check(read(fd, buf, 16) == 0);
	check(more >= 0 && accept(s->listener, NULL, NULL) >= 0, "%d", more);
	for (int i = 0; i < 5; i++)
		check(client_of(s) >= 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	check(connect(fd, (void *)&s->name, s->len) == -1 && errno == EAGAIN, "%d", errno);
}

int main(void)
{
	struct server absolute, relative, abstract;
	char text[108], far[108];
	struct ucred c;
	struct stat st;

	must_ptr(getcwd(far, 80));
	must(mkdir("dir", 0755));
	start(&absolute, text, (size_t)snprintf(text, sizeof(text), "%s/dir/socket", far) + 1);
	must(chmod("dir/socket", 0620) | chown("dir/socket", 7, 8));
	start(&relative, "dir/../dir/./other", sizeof("dir/../dir/./other"));
	must(chdir("dir"));
	memcpy(far, "\0a\0b\0", 5);
	must(getrandom(far + 5, 15, 0)); /* other tests share the names */
	start(&abstract, far, 20);
	checkpoint();
	check(!stat("socket", &st) && st.st_mode == (S_IFSOCK | 0620) && st.st_uid == 7 &&
		      st.st_gid == 8,
	      "%o %u %u", st.st_mode, st.st_uid, st.st_gid);
	must(chdir(".."));
	check_server(&absolute);
	check_server(&relative);
	check_server(&abstract);
	check(!getsockopt(absolute.client, SOL_SOCKET, SO_PEERCRED, &c, &(socklen_t){sizeof(c)}) &&
	      c.pid == getpid());
	check(!getsockopt(absolute.accepted, SOL_SOCKET, SO_PEERCRED, &c,
			  &(socklen_t){sizeof(c)}) &&
	      c.pid == getpid());
	return test_end();
}
