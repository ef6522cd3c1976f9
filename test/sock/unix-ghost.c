/*
 * Bound names whose file is gone: deleted, bound again by another socket, replaced by a named pipe,
 * with the directories deleted. Names and connections stay, and so does what the disk has now.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct pair {
	const char *text;
	int listener, client, accepted;
};

static struct sockaddr_un name_of(const char *text)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", text);
	return a;
}

static void start(struct pair *p, const char *text)
{
	struct sockaddr_un a = name_of(text);

	p->text = text;
	p->listener = must(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	must(bind(p->listener, (void *)&a, sizeof(a)) | listen(p->listener, 4));
	p->client = must(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	must(connect(p->client, (void *)&a, sizeof(a)));
	p->accepted = must(accept(p->listener, NULL, NULL));
	must(write(p->client, text, strlen(text)));
}

static void check_name(int fd, const char *text)
{
	struct sockaddr_un a = {0};

	check(!getsockname(fd, (void *)&a, &(socklen_t){sizeof(a)}) && !strcmp(a.sun_path, text),
	      "%s", a.sun_path);
}

static void check_pair(const struct pair *p)
{
	char buf[32] = {0};

	check_name(p->listener, p->text);
	check_name(p->accepted, p->text);
	check(read(p->accepted, buf, 32) == (ssize_t)strlen(p->text) && !strcmp(buf, p->text));
	check(write(p->accepted, "back", 4) == 4 && read(p->client, buf, 32) == 4);
}

int main(void)
{
	struct pair deleted, again, now, fifo, dirs;
	struct sockaddr_un a = name_of("again");
	struct stat st;
	int fd;

	start(&deleted, "deleted");
	must(unlink("deleted"));
	start(&again, "again");
	must(unlink("again"));
	start(&now, "again");
	start(&fifo, "fifo");
	must(unlink("fifo") | mkfifo("fifo", 0600));
	must(mkdir("one", 0700) | mkdir("one/two", 0700));
	start(&dirs, "one/two/three");
	must(unlink("one/two/three") | rmdir("one/two") | rmdir("one"));
	must(close(dirs.listener));
	dirs.listener = dirs.accepted;
	checkpoint();
	check(access("deleted", F_OK) && access("one", F_OK));
	check(!stat("fifo", &st) && S_ISFIFO(st.st_mode));
	check(!stat("again", &st) && S_ISSOCK(st.st_mode));
	check_pair(&deleted);
	check_pair(&again);
	check_pair(&now);
	check_pair(&fifo);
	check_pair(&dirs);
	fd = must(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	check(!connect(fd, (void *)&a, sizeof(a)));
	check(accept(now.listener, NULL, NULL) >= 0);
	return test_end();
}
