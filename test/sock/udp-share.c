/* Two tasks of one user with a socket each on one port (SO_REUSEPORT): both get their part of the
 * datagrams. On another port the option is off by now in one of them. */
/* harness: net */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "../lib/test.h"

enum { PORT = 5100, DATAGRAMS = 64 };

static uint32_t *got; /* by task: datagrams */

static struct sockaddr_in name(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int make(int port)
{
	struct sockaddr_in a = name(port);
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0));

	must(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, 4));
	must(bind(fd, (void *)&a, sizeof(a)));
	return fd;
}

static void count(int fd, uint32_t *n)
{
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) == 1)
		(*n)++;
}

static void in_child(void *turn)
{
	int fd = make(PORT), off = make(PORT + 1), on = 1;

	must(setsockopt(off, SOL_SOCKET, SO_REUSEPORT, &(int){0}, 4));
	event_add(turn);
	checkpoint_wait();
	event_wait(turn, 2);
	check(!getsockopt(off, SOL_SOCKET, SO_REUSEPORT, &on, &(socklen_t){4}) && !on);
	count(fd, &got[1]);
	event_add(turn);
}

int main(void)
{
	uint32_t *turn = shared_alloc(4096);
	struct sockaddr_in a = name(PORT);
	int fd;

	got = turn + 1;
	checkpoint_prepare();
	must(setresuid(65534, 65534, 65534));
	task_run(in_child, turn);
	fd = make(PORT);
	(void)make(PORT + 1);
	event_wait(turn, 1);

	checkpoint();
	for (int i = 0; i < DATAGRAMS; i++) {
		int from = must(socket(AF_INET, SOCK_DGRAM, 0));

		check(sendto(from, "x", 1, 0, (void *)&a, sizeof(a)) == 1);
		close(from);
	}
	count(fd, &got[0]);
	event_add(turn);
	event_wait(turn, 3);
	check(got[0] && got[1] && got[0] + got[1] == DATAGRAMS, "%u and %u", got[0], got[1]);
	return test_end();
}
