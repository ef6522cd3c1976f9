/*
 * How much of a relative sleep has passed. For poll, futex and sleeps without a pointer for the
 * remainder the kernel keeps the end of the sleep to itself. But the scheduler tells when a thread
 * ran last: read before the freeze that is the begin of its sleep, read after the stop the moment
 * at which the stop woke it. The number of its voluntary switches proves that it is the same sleep:
 * the stop itself is one, anything else would be more.
 *
 * Each cpu has such a clock of its own, which stands still in interrupts and while the host runs
 * something else: the two readings must be from one cpu.
 *
 * Without CONFIG_SCHED_DEBUG nothing is known. A sleep that was interrupted and went on before
 * counts from then on only. Either way the sleep gets longer, never shorter.
 */
#include "core/stop/sleep.h"

#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/map.h"
#include "core/stop/stopped.h"
#include "kernel/proc-sched.h"
#include "kernel/proc-stat.h"
#include "kernel/sys.h"

struct sleeper {
	struct proc_sched sched;
	int cpu;
	long call;
};
struct sleeps {
	struct map by_tid; /* keys (tid, 0); struct sleeper */
};

static bool may_be_relative(long call)
{
	switch (call) {
#ifdef SYS_poll
	case SYS_poll:
#endif
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
	case SYS_futex:
	case SYS_restart_syscall: return true;
	default: return false;
	}
}

static int read_sched(struct dump *d, int proc_fd, pid_t tid, struct sleeper *ret)
{
	struct proc_stat stat;
	struct span text;
	char path[40];
	int r;

	(void)snprintf(path, sizeof(path), "task/%d/sched", tid); /* always fits */
	r = io_slurp_record(&d->arena, proc_fd, path, &text);
	r = r < 0 ? r : proc_sched_parse(text, &ret->sched);
	if (r)
		return r;
	(void)snprintf(path, sizeof(path), "task/%d/stat", tid); /* always fits */
	r = io_slurp_record(&d->arena, proc_fd, path, &text);
	r = r < 0 ? r : proc_stat_parse(text, &stat);
	ret->cpu = r ? -1 : stat.processor;
	return r;
}

/* A futex without a timeout has 0 as its fourth argument. */
static bool sleeps_for_a_time(const char *text)
{
	unsigned long long arg[4];
	long call;

	return sscanf(text, "%ld %llx %llx %llx %llx", &call, &arg[0], &arg[1], &arg[2], &arg[3]) ==
		       5 &&
	       may_be_relative(call) && (call != SYS_futex || arg[3]);
}

/*
 * A call that was interrupted before goes on as restart_syscall: which one it is says the function
 * of the kernel in which it sleeps. Sleeps hide theirs (6.18 shows the entry of all system calls);
 * the first argument of clock_nanosleep is a small number.
 */
static long call_of(struct dump *d, int proc_fd, pid_t tid, const char *text)
{
	unsigned long long arg = 0;
	struct span wchan;
	char path[40];
	long call = -1;

	(void)sscanf(text, "%ld %llx", &call, &arg); /* has been seen to match */
	if (call != SYS_restart_syscall)
		return call;
	(void)snprintf(path, sizeof(path), "task/%d/wchan", tid); /* always fits */
	if (io_slurp_at(&d->arena, proc_fd, path, &wchan) < 0)
		return -1;
	if (wchan.len < 2)
		return -1; /* "0": not told */
	if (strstr(wchan.p, "futex"))
		return SYS_futex;
#ifdef SYS_poll
	if (strstr(wchan.p, "poll"))
		return SYS_poll;
#endif
	return arg < 4096 ? SYS_clock_nanosleep : SYS_nanosleep;
}

void sleep_look(struct dump *d, int proc_fd, pid_t tid)
{
	struct sleeper s;
	struct span text;
	char path[40];

	(void)snprintf(path, sizeof(path), "task/%d/syscall", tid); /* always fits */
	if (io_slurp_record(&d->arena, proc_fd, path, &text) < 0 || !sleeps_for_a_time(text.p) ||
	    read_sched(d, proc_fd, tid, &s))
		return; /* running, dead, or not told */
	s.call = call_of(d, proc_fd, tid, text.p);
	if (!d->sleeps) {
		d->sleeps = arena_new(&d->arena, struct sleeps);
		map_init(&d->sleeps->by_tid, &d->arena);
	}
	map_put(&d->sleeps->by_tid, (uint64_t)tid, 0, arena_memdup(&d->arena, &s, sizeof(s)));
}

void sleep_compare(struct dump *d, struct victim_thread *v)
{
	const struct sleeper *s =
		d->sleeps ? map_get(&d->sleeps->by_tid, (uint64_t)v->tid, 0) : NULL;
	struct sleeper now;

	v->slept_ns = 0;
	v->sleep_call = -1;
	if (!s || read_sched(d, v->task->proc_fd, v->tid, &now) ||
	    now.sched.n_sleeps > s->sched.n_sleeps + 1)
		return;
	v->sleep_call = s->call;
	if (now.cpu == s->cpu && now.sched.ran_ns > s->sched.ran_ns)
		v->slept_ns = now.sched.ran_ns - s->sched.ran_ns;
}
