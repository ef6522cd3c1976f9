/*
 * Shapes of trees that are hard to stop: zombies, a dead leader, group stops, vfork, storms of
 * forks and threads, shared tables, filters, somebody else's tracee. Each is frozen, asked in every
 * thread, let go, and must then still do what it did.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "core/stop/victim.h"

static volatile uint64_t *word; /* shared with the targets */
static int passed, failed;

static void check(bool ok, const char *name, const char *what)
{
	passed += ok;
	failed += !ok;
	if (!ok)
		printf("failed: %s: %s\n", name, what);
}

static void nap(void)
{
	usleep(500);
}

static bool advances(volatile uint64_t *w)
{
	uint64_t begin = *w, until = time_now_ns() + 5000000000ULL;

	while (*w < begin + 2 && time_now_ns() < until)
		nap();
	return *w >= begin + 2;
}

static void count_for_good(void)
{
	for (;; word[0]++)
		nap();
}

static char state_of(pid_t pid)
{
	char path[40], buf[512] = "", *p;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	(void)!fread(buf, 1, sizeof(buf) - 1, f);
	(void)fclose(f);
	p = strrchr(buf, ')');
	return p ? p[2] : 0;
}

static void await_state(pid_t pid, char c)
{
	while (state_of(pid) != c)
		nap();
}

static void zombies(void)
{
	pid_t exits = fork(), killed;
	siginfo_t info;

	if (!exits)
		_exit(200);
	killed = fork();
	if (!killed)
		raise(SIGKILL);
	waitid(P_PID, exits, &info, WEXITED | WNOWAIT);
	waitid(P_PID, killed, &info, WEXITED | WNOWAIT);
	count_for_good();
}

static void *counter(void *arg)
{
	count_for_good();
	return arg;
}

static void dead_leader(void)
{
	pthread_t t;

	pthread_create(&t, NULL, counter, NULL);
	pthread_exit(NULL);
}

static void stopped_children(void)
{
	static const int sig[] = { SIGSTOP, SIGTSTP, SIGTTIN };

	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();

		if (!pid) {
			setpgid(0, 0);
			raise(sig[i]);
			for (;; word[1 + i]++)
				nap();
		}
		word[8 + i] = (uint64_t)pid;
	}
	count_for_good();
}

static void vforks(void)
{
	for (;; word[0]++) {
		pid_t pid = vfork();

		if (!pid) {
			usleep(3000);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

static void forks(void)
{
	for (;; word[0]++) {
		pid_t pid = fork();

		if (!pid) {
			if (!fork())
				_exit(0);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

static void *nothing(void *arg)
{
	return arg;
}

static void thread_storm(void)
{
	for (;; word[0]++) {
		pthread_t t[4];

		for (int i = 0; i < 4; i++)
			pthread_create(&t[i], NULL, nothing, NULL);
		for (int i = 0; i < 4; i++)
			pthread_join(t[i], NULL);
	}
}

static int shared_child(void *arg)
{
	(void)arg;
	for (;; word[1]++)
		nap();
	return 0;
}

static void sharing(void)
{
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	clone(shared_child, stack + 65536, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
	count_for_good();
}

/* Everything but what the loop needs kills: injected calls only work when filters are suspended. */
static void filtered(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_nanosleep, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_restart_syscall, 1,
			 0), /* any stop needs it */
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { 5, f };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p);
	count_for_good();
}

static void unshared(void)
{
	pthread_t t;

	pthread_create(&t, NULL, counter, NULL);
	unshare(CLONE_FS);
	count_for_good();
}

static void traced(void)
{
	int ready[2];
	char byte;

	if (pipe(ready))
		return;
	if (!fork()) {
		ptrace(PTRACE_SEIZE, getppid(), 0, 0);
		(void)!write(ready[1], "", 1);
		for (;;)
			pause();
	}
	(void)!read(ready[0], &byte, 1);
	count_for_good();
}

static int ask(struct dump *d)
{
	int r = 0;

	vec_foreach(t, &d->tree.thread) {
		struct prog p;

		if ((*t)->dead || r < 0)
			continue;
		prog_init(&p, &d->arena, (*t)->task->index);
		prog_equals(prog_call0(&p, SYS_gettid), (*t)->tid);
		r = victim_run(d, *t, &p);
	}
	return r;
}

static void begin(struct dump *d, struct dump_options *o, pid_t pid)
{
	*d = (struct dump){ .opt = o };
	*o = (struct dump_options){ .pid = pid, .timeout_s = 10 };
	arena_init(&d->arena);
	blockers_init(&d->blockers, &d->arena);
}

static pid_t start(void (*body)(void))
{
	pid_t pid;

	memset((void *)word, 0, 4096);
	pid = fork();
	if (!pid) {
		setsid();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		body();
		_exit(0);
	}
	(void)advances(word);
	return pid;
}

static void end(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

typedef void inspect(struct dump *d, const char *name);

static void round_trip(const char *name, void (*body)(void), inspect *look, int rounds)
{
	pid_t pid;

	if (getenv("ONLY") && strcmp(getenv("ONLY"), name))
		return;
	pid = start(body);

	for (int i = 0; i < rounds && !failed; i++) {
		struct dump_options o;
		struct dump d;
		int r;

		begin(&d, &o, pid);
		r = victim_freeze(&d);
		check(!r, name, "freeze");
		if (!r && look)
			look(&d, name);
		if (!r)
			check(!ask(&d), name, "ask");
		(void)blockers_report(&d.blockers);
		check(!victim_release(&d, VICTIM_RESUME), name, "release");
		arena_deinit(&d.arena);
		check(advances(word), name, "goes on");
	}
	end(pid);
}

static void refused(const char *name, void (*body)(void), const char *reason)
{
	struct dump_options o;
	struct dump d;
	pid_t pid = start(body);
	bool found = false;

	begin(&d, &o, pid);
	check(victim_freeze(&d) == -ENOTSUP, name, "is refused");
	vec_foreach(b, &d.blockers.list)
		found |= strstr(b->reason, reason) != NULL;
	check(found, name, "the reason is told");
	arena_deinit(&d.arena);
	check(advances(word), name, "goes on");
	end(pid);
}

static void look_zombies(struct dump *d, const char *name)
{
	check(d->tree.task.n == 3, name, "three tasks");
	if (d->tree.task.n != 3)
		return;
	check(d->tree.task.v[1]->state == TASK_ZOMBIE && d->tree.task.v[1]->exit_status == 200 << 8,
	      name, "exit status");
	check(d->tree.task.v[2]->exit_status == SIGKILL, name, "killed");
	check(d->tree.task.v[1]->parent == d->tree.task.v[0] && d->tree.task.v[0]->child.n == 2,
	      name, "parent");
}

static void look_dead_leader(struct dump *d, const char *name)
{
	struct task *t = d->tree.task.v[0];

	check(t->state == TASK_DEAD_LEADER && t->thread.n == 2 && t->thread.v[0]->dead, name,
	      "state");
	check(task_main(t) == t->thread.v[1] && t->pidfd >= 0, name, "a live thread acts for it");
}

static void look_stopped(struct dump *d, const char *name)
{
	static const uint32_t sig[] = { SIGSTOP, SIGTSTP, SIGTTIN };

	for (size_t i = 0; i < 3; i++)
		check(d->tree.task.v[1 + i]->stop_signal == sig[i], name, "signal of the stop");
}

static void look_sharing(struct dump *d, const char *name)
{
	struct task **t = d->tree.task.v;

	check(d->tree.task.n == 2 && t[1]->mm == 0 && t[1]->files == 0 && t[1]->fs == 1 &&
		      t[1]->sighand == 1,
	      name, "what is shared");
}

/* Orphaned groups do not stop by SIGTSTP and SIGTTIN: the parent is in another group of the
 * session. */
static void stops(void)
{
	const char *name = "group stops";
	pid_t pid = start(stopped_children), child[3];
	struct dump_options o;
	struct dump d;

	for (int i = 0; i < 3; i++) {
		while (!(child[i] = (pid_t)word[8 + i]))
			nap();
		await_state(child[i], 'T');
	}
	for (int round = 0; round < 3; round++) {
		begin(&d, &o, pid);
		check(!victim_freeze(&d), name, "freeze");
		look_stopped(&d, name);
		check(!ask(&d), name, "ask");
		check(!victim_release(&d, VICTIM_RESUME), name, "release");
		arena_deinit(&d.arena);
		check(advances(word), name, "the parent goes on");
		for (int i = 0; i < 3; i++)
			check(state_of(child[i]) == 'T', name, "still stopped");
	}
	for (int i = 0; i < 3; i++) {
		kill(child[i], SIGCONT);
		check(advances(word + 1 + i), name, "continues");
		kill(child[i], SIGKILL);
	}
	end(pid);
}

static void ends(void)
{
	struct dump_options o;
	struct dump d;
	pid_t pid = start(count_for_good);

	begin(&d, &o, pid);
	check(!victim_freeze(&d) && !ask(&d) && !victim_release(&d, VICTIM_STOP), "stop",
	      "release");
	arena_deinit(&d.arena);
	await_state(pid, 'T');
	begin(&d, &o, pid);
	check(!victim_freeze(&d) && !ask(&d) && d.tree.task.v[0]->stop_signal == SIGSTOP, "stop",
	      "again");
	check(!victim_release(&d, VICTIM_KILL), "kill", "release");
	arena_deinit(&d.arena);
	check(kill(pid, 0) < 0 && errno == ESRCH, "kill", "nothing is left");
}

static void own_tree(void)
{
	struct dump_options o;
	struct dump d;

	begin(&d, &o, getppid());
	check(victim_freeze(&d) == -ENOTSUP && d.blockers.list.n == 1, "own tree", "is refused");
	arena_deinit(&d.arena);
}

int main(int argc, char **argv)
{
	struct log_config quiet = { .fd = -1, .level = argc > 1 ? LOG_DEBUG : LOG_ERROR };

	(void)argv;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (geteuid()) {
		printf("0 passed, 0 failed, 1 skipped (needs root)\n");
		return 0;
	}
	log_setup(&quiet);
	word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	round_trip("zombies", zombies, look_zombies, 2);
	round_trip("dead leader", dead_leader, look_dead_leader, 2);
	stops();
	round_trip("vfork", vforks, NULL, 20);
	round_trip("forks", forks, NULL, 100);
	round_trip("threads", thread_storm, NULL, 100);
	round_trip("sharing", sharing, look_sharing, 3);
	round_trip("filter", filtered, NULL, 3);
	refused("unshared thread", unshared, "of its own");
	refused("traced", traced, "traced by");
	ends();
	own_tree();
	printf("%d passed, %d failed, 0 skipped\n", passed, failed);
	return failed != 0;
}
