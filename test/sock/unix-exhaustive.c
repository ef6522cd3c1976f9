/*
 * Every state of a server, a client and the connection between them that a few actions lead to:
 * bound, listening, connected, written to, accepted, answered, shut, closed, the name deleted; for
 * streams and packets, and the like for datagrams. What restored sockets then tell and do is
 * compared with what freshly made ones in the same state tell and do.
 *
 * harness: modes=restore,cycles
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { SERVER, CLIENT, PEER, SOCKETS, TEXT_BYTES = 1024 };
enum {
	BIND = 1,
	LISTEN = 2, /* of datagrams: the client has a name */
	CONNECT = 4,
	WRITE = 8,
	ACCEPT = 16, /* of datagrams: the server is connected to the client */
	ANSWER = 32,
	SHUT = 64,
	CLOSE_SERVER = 128,
	CLOSE_CLIENT = 256,
	CLOSE_PEER = 512, /* of datagrams: the server is shut for receiving */
	UNLINK = 1024,
	ALL = 2048
};

struct scene {
	int type, actions, fd[SOCKETS];
	char before[TEXT_BYTES];
};

static void say(char *text, const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, TEXT_BYTES - n, fmt, ap);
	va_end(ap);
}

static bool needs(int actions, int what, int first)
{
	return !(actions & what) || (actions & first) == first;
}

static bool possible(int type, int a)
{
	if (type == SOCK_DGRAM)
		return needs(a, CONNECT, BIND) && needs(a, WRITE, CONNECT) &&
		       needs(a, ACCEPT, LISTEN | BIND) && needs(a, ANSWER, ACCEPT) &&
		       needs(a, UNLINK, BIND) && !(a & CLOSE_PEER && a & WRITE);
	return needs(a, LISTEN, BIND) && needs(a, CONNECT, LISTEN) &&
	       needs(a, WRITE | ACCEPT | SHUT, CONNECT) && needs(a, ANSWER | CLOSE_PEER, ACCEPT) &&
	       needs(a, UNLINK, BIND);
}

static struct sockaddr_un name_of(const struct scene *s, const char *who)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s-%d-%d", who, s->type, s->actions);
	return a;
}

static void bind_to(int fd, const struct sockaddr_un *a)
{
	must(bind(fd, (const void *)a, sizeof(*a)));
}

static void act(struct scene *s, const struct sockaddr_un *server, const struct sockaddr_un *client)
{
	int *fd = s->fd, a = s->actions;
	bool datagrams = s->type == SOCK_DGRAM;

	if (a & BIND)
		bind_to(fd[SERVER], server);
	if (a & LISTEN && datagrams)
		bind_to(fd[CLIENT], client);
	else if (a & LISTEN)
		must(listen(fd[SERVER], 3));
	if (a & CONNECT)
		must(connect(fd[CLIENT], (const void *)server, sizeof(*server)));
	if (a & WRITE)
		must(send(fd[CLIENT], "hello", 5, 0));
	if (a & ACCEPT && datagrams)
		must(connect(fd[SERVER], (const void *)client, sizeof(*client)));
	else if (a & ACCEPT)
		fd[PEER] = must(accept(fd[SERVER], NULL, NULL));
	if (a & ANSWER)
		must(send(fd[datagrams ? SERVER : PEER], "world!", 6, 0));
	if (a & SHUT)
		must(shutdown(fd[CLIENT], SHUT_WR));
	if (a & CLOSE_PEER && datagrams)
		must(shutdown(fd[SERVER], SHUT_RD));
}

static void finish(struct scene *s, int actions, int which)
{
	if (!(s->actions & actions))
		return;
	must(close(s->fd[which]));
	s->fd[which] = -1;
}

static void make(struct scene *s)
{
	struct sockaddr_un server = name_of(s, "server"), client = name_of(s, "client");

	s->fd[SERVER] = must(socket(AF_UNIX, s->type | SOCK_NONBLOCK, 0));
	s->fd[CLIENT] = must(socket(AF_UNIX, s->type | SOCK_NONBLOCK, 0));
	s->fd[PEER] = -1;
	act(s, &server, &client);
	finish(s, CLOSE_SERVER, SERVER);
	finish(s, CLOSE_CLIENT, CLIENT);
	if (s->type != SOCK_DGRAM)
		finish(s, CLOSE_PEER, PEER);
	if (s->actions & UNLINK)
		must(unlink(server.sun_path));
}

/* What can be asked without changing anything. */
static void look(const struct scene *s, char *text)
{
	for (int i = 0; i < SOCKETS; i++) {
		struct sockaddr_un own = {0}, peer = {0};
		struct pollfd p = {s->fd[i], POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
		int waits = -1, r;

		if (s->fd[i] < 0)
			continue;
		must(getsockname(s->fd[i], (void *)&own, &(socklen_t){sizeof(own)}));
		r = getpeername(s->fd[i], (void *)&peer, &(socklen_t){sizeof(peer)});
		r = r ? errno : 0;
		(void)ioctl(s->fd[i], FIONREAD, &waits);
		poll(&p, 1, 0);
		say(text, "%d: '%s' '%s' %d events %x waits %d\n", i, own.sun_path, peer.sun_path,
		    r, p.revents, waits);
	}
}

static void drain(int fd, char *text)
{
	for (int i = 0; i < 3; i++) {
		struct sockaddr_un from = {0};
		char buf[16] = {0};
		long n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (void *)&from,
				  &(socklen_t){sizeof(from)});

		say(text, " recv %ld %d '%s' '%s'", n, n < 0 ? errno : 0, buf, from.sun_path);
	}
}

/* What they do. */
static void use(const struct scene *s, char *text)
{
	struct sockaddr_un server = name_of(s, "server");
	int more = socket(AF_UNIX, s->type | SOCK_NONBLOCK, 0), fd, r;

	r = connect(more, (void *)&server, sizeof(server));
	say(text, "more %d %d\n", r, r ? errno : 0);
	for (int i = 0; i < SOCKETS; i++) {
		if (s->fd[i] < 0)
			continue;
		say(text, "%d:", i);
		while (i == SERVER && s->type != SOCK_DGRAM &&
		       (fd = accept(s->fd[i], NULL, NULL)) >= 0) {
			say(text, " accept");
			drain(fd, text);
			close(fd);
		}
		drain(s->fd[i], text);
		r = (int)send(s->fd[i], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		say(text, " send %d %d\n", r, r < 0 ? errno : 0);
	}
	close(more);
}

static size_t make_all(struct scene *s, const char *dir)
{
	static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
	size_t n = 0;

	must(mkdir(dir, 0700) | chdir(dir));
	for (size_t t = 0; t < 3; t++)
		for (int a = 0; a < ALL; a++) {
			if (!possible(types[t], a))
				continue;
			s[n] = (struct scene){.type = types[t], .actions = a};
			make(&s[n]);
			look(&s[n], s[n].before);
			n++;
		}
	must(chdir(".."));
	return n;
}

int main(void)
{
	struct scene *s = must_ptr(calloc(3 * ALL, sizeof(*s))), *fresh;
	size_t n = make_all(s, "old");

	checkpoint();
	fresh = must_ptr(calloc(3 * ALL, sizeof(*s)));
	must_true(make_all(fresh, "new") == n);
	for (size_t i = 0; i < n; i++) {
		char now[TEXT_BYTES] = "", used[TEXT_BYTES] = "", wanted[TEXT_BYTES] = "";

		look(&s[i], now);
		check(!strcmp(now, s[i].before), "type %d actions %#x: was\n%sis\n%s", s[i].type,
		      s[i].actions, s[i].before, now);
		must(chdir("old"));
		use(&s[i], used);
		must(chdir("../new"));
		use(&fresh[i], wanted);
		must(chdir(".."));
		check(!strcmp(used, wanted), "type %d actions %#x: does\n%sand not\n%s", s[i].type,
		      s[i].actions, used, wanted);
	}
	return test_end();
}
