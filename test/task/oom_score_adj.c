/* Files of /proc/self that are settings: oom_score_adj, coredump_filter, the nice value of a
 * session. */
#include "test.h"

#include <fcntl.h>

static void put(const char *name, const char *text)
{
	int fd = must(open(name, O_WRONLY));

	must(write(fd, text, strlen(text)));
	close(fd);
}

static bool reads(const char *name, const char *text)
{
	char buf[64] = "";
	int fd = must(open(name, O_RDONLY));
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	buf[n > 0 ? n : 0] = 0;
	return strstr(buf, text);
}

static void raised(void *arg)
{
	(void)arg;
	put("/proc/self/oom_score_adj", "777");
	put("/proc/self/coredump_filter", "0x7f");
	must(setsid());
	put("/proc/self/autogroup", "7");
	checkpoint_wait();
	check(reads("/proc/self/oom_score_adj", "777\n"));
	check(reads("/proc/self/coredump_filter", "0000007f\n"));
	check(reads("/proc/self/autogroup", "nice 7\n"));
}

int main(void)
{
	task_run(raised, NULL);
	put("/proc/self/oom_score_adj", "123");
	put("/proc/self/oom_score_adj", "0");
	checkpoint();
	check(reads("/proc/self/oom_score_adj", "0\n"));
	check(reads("/proc/self/coredump_filter", "00000033\n"));
	return test_end();
}
