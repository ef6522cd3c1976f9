/*
 * Checkpoint protocol of the test bodies. The root's main thread sleeps in rt_sigsuspend with a
 * mask that blocks everything but GO_SIGNAL: system call 130 in /proc/PID/syscall together with
 * that mask in SigBlk happens nowhere else, so the runner knows from outside that the state is
 * built, and no file, pipe or name of the harness takes part. GO_SIGNAL is blocked everywhere else;
 * it comes from the runner after the last restore.
 *
 * Other tasks and threads count themselves in on a shared page and sleep in FUTEX_WAIT there. The
 * page is made when the first of them is, so that a body with one task has no mapping of the
 * harness at all.
 */
#include "test.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct meeting {
	uint32_t expected, arrived, go;
};

static struct {
	struct meeting *meeting;
	uint32_t failed;
	volatile sig_atomic_t go;
	pid_t child[256];
	unsigned n_child;
	pthread_t thread[64];
	unsigned n_thread;
} body;

static void on_go(int sig)
{
	(void)sig;
	body.go = 1;
}

/* Before main: every thread and child inherits the blocked signal. */
__attribute__((constructor)) static void body_init(void)
{
	struct sigaction sa = {.sa_handler = on_go};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, GO_SIGNAL);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	must(sigaction(GO_SIGNAL, &sa, NULL));
}

static struct meeting *meeting(void)
{
	if (!body.meeting)
		body.meeting = shared_alloc(4096);
	return body.meeting;
}

void checkpoint_prepare(void)
{
	(void)meeting();
}

void checkpoint(void)
{
	/* Not through libc, whose sets never block the two signals of its thread library. */
	const uint64_t all_but_go = ~(1ull << (GO_SIGNAL - 1));

	if (body.meeting)
		event_wait(&body.meeting->arrived, body.meeting->expected);
	while (!body.go)
		syscall(SYS_rt_sigsuspend, &all_but_go, sizeof(all_but_go));
	if (body.meeting)
		event_add(&body.meeting->go);
}

void checkpoint_arrive(void)
{
	event_add(&meeting()->arrived);
}

void checkpoint_wait(void)
{
	checkpoint_arrive();
	event_wait(&meeting()->go, 1);
}

bool checkpoint_passed(void)
{
	return body.go || (body.meeting && __atomic_load_n(&body.meeting->go, __ATOMIC_ACQUIRE));
}

bool check_at(bool ok, const char *what, const char *fmt, ...)
{
	char text[512] = "";
	int saved = errno;
	va_list ap;

	if (ok)
		return true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	dprintf(2, "FAIL %s%s%s (errno %d, task %d)\n", what, *text ? ": " : "", text, saved,
		getpid());
	__atomic_add_fetch(&body.failed, 1, __ATOMIC_RELAXED);
	return false;
}

void must_at(bool ok, const char *file, int line, const char *expr)
{
	if (ok)
		return;
	dprintf(2, "SETUP %s:%d: %s: %s (task %d)\n", file, line, expr, strerror(errno), getpid());
	_exit(1);
}

void skip(const char *fmt, ...)
{
	va_list ap;

	dprintf(2, "SKIP ");
	va_start(ap, fmt);
	vdprintf(2, fmt, ap);
	va_end(ap);
	dprintf(2, "\n");
	_exit(EXIT_SKIP);
}

int test_end(void)
{
	thread_join_all();
	for (unsigned i = 0; i < body.n_child; i++) {
		int status = -1;
		pid_t pid = waitpid(body.child[i], &status, 0);

		check(pid == body.child[i] && status == 0, "child %d gives status %#x",
		      body.child[i], status);
	}
	return body.failed ? 1 : 0;
}

pid_t task_fork(void)
{
	return task_clone(0);
}

pid_t task_clone(unsigned long flags)
{
	pid_t pid;

	__atomic_add_fetch(&meeting()->expected, 1, __ATOMIC_RELAXED);
	pid = flags ? must((pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL))
		    : must(fork());
	if (pid == 0) {
		body.n_child = 0;
		body.n_thread = 0;
		return 0;
	}
	must_true(body.n_child < sizeof(body.child) / sizeof(body.child[0]));
	body.child[body.n_child++] = pid;
	return pid;
}

pid_t task_run(void (*fn)(void *), void *arg)
{
	pid_t pid = task_fork();

	if (pid == 0) {
		fn(arg);
		_exit(test_end());
	}
	return pid;
}

struct start {
	void (*fn)(void *);
	void *arg;
};

static void *thread_main(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	start.fn(start.arg);
	return NULL;
}

void thread_run(void (*fn)(void *), void *arg)
{
	struct start *start = must_ptr(malloc(sizeof(*start)));

	*start = (struct start){fn, arg};
	must_true(body.n_thread < sizeof(body.thread) / sizeof(body.thread[0]));
	__atomic_add_fetch(&meeting()->expected, 1, __ATOMIC_RELAXED);
	must_true(pthread_create(&body.thread[body.n_thread++], NULL, thread_main, start) == 0);
}

void thread_join_all(void)
{
	while (body.n_thread)
		check(pthread_join(body.thread[--body.n_thread], NULL) == 0);
}

void *shared_alloc(size_t len)
{
	return must_ptr(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

void event_add(uint32_t *event)
{
	__atomic_add_fetch(event, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, event, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void event_wait(const uint32_t *event, uint32_t value)
{
	uint32_t now;

	while ((now = __atomic_load_n(event, __ATOMIC_SEQ_CST)) < value)
		syscall(SYS_futex, event, FUTEX_WAIT, now, NULL, NULL, 0);
}
