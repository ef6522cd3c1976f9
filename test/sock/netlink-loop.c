/* Programs that ask the kernel without pause: one lists the links and reads the whole list, one
 * opens a socket for each question. Between an answer and
 * the next question there is a moment for the stop. */
/* harness: net moves */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "../lib/test.h"

struct question {
	struct nlmsghdr head;
	struct ifinfomsg info;
};

/* Whether the list came whole, and is the answer to this question. */
static bool ask(int fd, uint32_t seq)
{
	struct question q = {{sizeof(q), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, seq, 0}, {0}};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	static _Thread_local union {
		struct nlmsghdr head;
		char bytes[32768];
	} b;
	int links = 0;

	if (sendto(fd, &q, sizeof(q), 0, (void *)&kernel, sizeof(kernel)) < 0)
		return false;
	for (;;) {
		ssize_t n = recv(fd, &b, sizeof(b), 0);
		struct nlmsghdr *h = &b.head;

		if (n <= 0)
			return false;
		for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_seq != seq)
				return false;
			if (h->nlmsg_type == NLMSG_DONE)
				return links > 0;
			links += h->nlmsg_type == RTM_NEWLINK;
		}
	}
}

static void short_lived(void *arg)
{
	bool ok = true;

	(void)arg;
	checkpoint_arrive();
	for (uint32_t seq = 1; ok && !checkpoint_passed(); seq++) {
		int fd = must(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));

		ok = ask(fd, seq);
		close(fd);
	}
	check(ok, "%s", strerror(errno));
}

static void long_lived(void *arg)
{
	int fd = must(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	uint32_t seq = 1;

	(void)arg;
	checkpoint_arrive();
	while (ask(fd, seq) && !checkpoint_passed())
		seq++;
	check(checkpoint_passed(), "question %u: %s", seq, strerror(errno));
	check(ask(fd, seq + 1));
}

int main(void)
{
	task_run(long_lived, NULL);
	task_run(short_lived, NULL);
	checkpoint();
	return test_end();
}
