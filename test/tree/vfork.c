/*
 * The window of a vfork: the parent cannot stop before its child lets it go. The child does so only
 * once a tracer is attached to the parent, so the dump must wait for it; afterwards both are as if
 * the dump had come later.
 */
/* harness: moves */
#include "test.h"

#include <fcntl.h>
#include <sys/wait.h>

static uint32_t *windows;

/* Runs on the parent's stack: no libc beyond system calls. */
static bool is_traced(const char *path)
{
	char text[2048];
	int fd = open(path, O_RDONLY);
	long n = read(fd, text, sizeof(text) - 1);
	const char *line;

	close(fd);
	text[n > 0 ? n : 0] = 0;
	line = strstr(text, "TracerPid:\t");
	return line && line[11] != '0';
}

static void vforking(void *arg)
{
	char path[64];
	int status;
	pid_t pid;

	(void)arg;
	snprintf(path, sizeof(path), "/proc/%d/status", getpid());
	checkpoint_arrive();
	pid = vfork();
	if (!pid) {
		__atomic_add_fetch(windows, 1, __ATOMIC_SEQ_CST);
		while (!is_traced(path) && !checkpoint_passed())
			;
		_exit(55);
	}
	check(pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 55);
	event_wait(windows, 2);
}

int main(void)
{
	windows = shared_alloc(4096);
	task_run(vforking, NULL);
	while (!__atomic_load_n(windows, __ATOMIC_SEQ_CST))
		;
	checkpoint();
	event_add(windows);
	return test_end();
}
