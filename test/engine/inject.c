/*
 * The dump engine against a target that checks itself. Seven threads: a sleep with its elapsed
 * time, a spin over all general and vector registers and the red zone (with numbered signals on an
 * alternate stack), two that play ping-pong, epoll_wait, a restartable sequence, ppoll with a
 * temporary mask.
 *
 * A tool process freezes the target, runs twenty calls in each thread, withdraws and lets go: as
 * lists of calls, and, since one operation is not a call, in the blob. Then
 * the same with the tool killed, or a call of it failing, at its n-th call for every n. Harm is:
 * the target died, a thread made no progress or found an error, a signal was lost, or its mappings
 * changed. Only counted: epoll_wait failing with EINTR because the tool died between a stop and its
 * repair.
 *
 * inject [-b] [-k STRIDE] [-r RANDOM_KILLS]: with -b [THREADS [CHILDREN]] only figures of larger
 * trees.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/time.h"
#include "core/stop/victim.h"

enum { THREADS = 7, CALLS = 20, SIGNAL_STACK = 64 * 1024 };

struct board {
	uint64_t progress[THREADS], errors[THREADS], signals, signal_errors, eintr;
	char what[THREADS][64];
};
static struct board *board;
static int pipe_a[2], pipe_b[2], event;

static void wrong(int i, const char *what)
{
	if (!board->errors[i]++)
		(void)snprintf(board->what[i], sizeof(board->what[i]), "%s (errno %d)", what,
			       errno);
}

static void own_mask(int i, bool set)
{
	sigset_t want, have;

	sigemptyset(&want);
	sigaddset(&want, SIGUSR2);
	sigaddset(&want, SIGRTMIN + 1 + i);
	if (i != 1)
		sigaddset(&want, SIGRTMIN);
	if (set)
		pthread_sigmask(SIG_SETMASK, &want, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &have);
	if (memcmp(&want, &have, 8))
		wrong(i, "signal mask");
}

static void *sleeper(void *arg)
{
	own_mask(0, true);
	for (;; board->progress[0]++) {
		struct timespec t = { 0, 7000000 };
		uint64_t begin = time_now_ns();

		if (nanosleep(&t, board->progress[0] & 1 ? &t : NULL))
			wrong(0, "nanosleep");
		if (time_now_ns() - begin < 7000000)
			wrong(0, "short sleep");
		own_mask(0, false);
	}
	return arg;
}

static void on_number(int sig, siginfo_t *info, void *context)
{
	char here;
	stack_t s;

	(void)sig;
	(void)context;
	if ((uint64_t)info->si_value.sival_int != board->signals + 1)
		board->signal_errors++;
	board->signals = (uint64_t)info->si_value.sival_int;
	sigaltstack(NULL, &s);
	if (&here < (char *)s.ss_sp || &here > (char *)s.ss_sp + s.ss_size)
		board->signal_errors++;
}

static bool have_zmm;
static uint64_t pattern[32][8] __attribute__((aligned(64)));

#define Z(op)                                                                                   \
	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) \
		op(14) op(15)
#define Z2(op)                                                                                     \
	op(16) op(17) op(18) op(19) op(20) op(21) op(22) op(23) op(24) op(25) op(26) op(27) op(28) \
		op(29) op(30) op(31)
#define LOAD_Z(n)  "vmovdqu64 64*" #n "(%%rdi), %%zmm" #n "\n\t"
#define STORE_Z(n) "vmovdqu64 %%zmm" #n ", 64*" #n "(%%rsi)\n\t"
#define LOAD_X(n)  "movdqu 64*" #n "(%%rdi), %%xmm" #n "\n\t"
#define STORE_X(n) "movdqu %%xmm" #n ", 64*" #n "(%%rsi)\n\t"
/* clang-format off */
#define GENERAL \
	"mov $1, %%rax\n\tmov $2, %%rbx\n\tmov $3, %%rdx\n\t" \
	"mov $8, %%r8\n\tmov $9, %%r9\n\tmov $10, %%r10\n\t" \
	"mov $11, %%r11\n\tmov $12, %%r12\n\tmov $13, %%r13\n\t" \
	"mov $14, %%r14\n\tmov $15, %%r15\n\tmovq $77, -8(%%rsp)\n\t" \
	"movq $78, -128(%%rsp)\n\tmov $20000, %%ecx\n\t1: dec %%ecx\n\t" \
	"jnz 1b\n\tadd %%rbx, %%rax\n\tadd %%rdx, %%rax\n\t" \
	"add %%r8, %%rax\n\tadd %%r9, %%rax\n\tadd %%r10, %%rax\n\t" \
	"add %%r11, %%rax\n\tadd %%r12, %%rax\n\tadd %%r13, %%rax\n\t" \
	"add %%r14, %%rax\n\tadd %%r15, %%rax\n\tadd -8(%%rsp), %%rax\n\t" \
	"add -128(%%rsp), %%rax\n\t"
/* clang-format on */
#define CLOBBER \
	"rbx", "rdx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc"

static uint64_t spin(void *out)
{
	uint64_t sum;

	if (have_zmm)
		__asm__ volatile(Z(LOAD_Z) Z2(LOAD_Z) "kmovw %%edi, %%k3\n\t" GENERAL Z(STORE_Z)
					 Z2(STORE_Z)
				 : "=&a"(sum)
				 : "D"(pattern), "S"(out)
				 : CLOBBER);
	else
		__asm__ volatile(Z(LOAD_X) GENERAL Z(STORE_X)
				 : "=&a"(sum)
				 : "D"(pattern), "S"(out)
				 : CLOBBER);
	return sum;
}

static void *spinner(void *arg)
{
	static uint64_t out[32][8] __attribute__((aligned(64)));
	stack_t s = { .ss_sp = mmap(NULL, SIGNAL_STACK, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		      .ss_size = SIGNAL_STACK };
	struct sigaction a = { .sa_sigaction = on_number,
			       .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
	size_t row = have_zmm ? 32 : 16, bytes = have_zmm ? 64 : 16;

	sigaltstack(&s, NULL);
	sigaction(SIGRTMIN, &a, NULL);
	own_mask(1, true);
	for (;; board->progress[1]++) {
		memset(out, 0, sizeof(out));
		if (spin(out) != 1 + 2 + 3 + 8 + 9 + 10 + 11 + 12 + 13 + 14 + 15 + 77 + 78)
			wrong(1, "general registers or red zone");
		for (size_t i = 0; i < row; i++)
			if (memcmp(out[i], pattern[i], bytes))
				wrong(1, "vector registers");
		own_mask(1, false);
	}
	return arg;
}

static void *ping(void *arg)
{
	uint32_t n = 0, back = 0;

	own_mask(2, true);
	for (;; board->progress[2]++) {
		n++;
		if (write(pipe_a[1], &n, 4) != 4 || read(pipe_b[0], &back, 4) != 4 || back != n)
			wrong(2, "ping");
		if (n % 16 == 0 && eventfd_write(event, 1))
			wrong(2, "eventfd");
		own_mask(2, false);
	}
	return arg;
}

static void *pong(void *arg)
{
	uint32_t n;

	own_mask(3, true);
	for (;; board->progress[3]++) {
		if (read(pipe_a[0], &n, 4) != 4 || write(pipe_b[1], &n, 4) != 4)
			wrong(3, "pong");
		own_mask(3, false);
	}
	return arg;
}

static void *waiter(void *arg)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = epoll_create1(0);
	eventfd_t v;

	own_mask(4, true);
	epoll_ctl(fd, EPOLL_CTL_ADD, event, &e);
	for (;; board->progress[4]++) {
		if (epoll_wait(fd, &e, 1, -1) != 1) {
			if (errno == EINTR)
				board->eintr++;
			else
				wrong(4, "epoll_wait");
		}
		(void)eventfd_read(event, &v);
		own_mask(4, false);
	}
	return arg;
}

/* 0: committed on the cpu where it began; 1: aborted; 2: committed elsewhere. */
static int section(struct rseq *r)
{
	static __thread struct rseq_cs cs;
	int result;

	__asm__ volatile("lea 1f(%%rip), %%rax\n\tmov %%rax, 8(%[cs])\n\t"
			 "lea 2f(%%rip), %%rcx\n\tsub %%rax, %%rcx\n\tmov %%rcx, 16(%[cs])\n\t"
			 "lea 4f(%%rip), %%rax\n\tmov %%rax, 24(%[cs])\n\t"
			 "mov %[cs], 8(%[r])\n\t"
			 "1:\n\t"
			 "mov 4(%[r]), %%edx\n\tmov $3000, %%ecx\n\t"
			 "3: dec %%ecx\n\tjnz 3b\n\t"
			 "xor %%eax, %%eax\n\tcmp 4(%[r]), %%edx\n\tje 5f\n\tmov $2, %%eax\n\t"
			 "5:\n\t"
			 "2:\n\tjmp 6f\n\t"
			 ".long 0x53053053\n\t"
			 "4:\n\tmov $1, %%eax\n\t"
			 "6:\n\t"
			 : "=&a"(result)
			 : [cs] "r"(&cs), [r] "r"(r)
			 : "rcx", "rdx", "memory", "cc");
	return result;
}

static void *restartable(void *arg)
{
	struct rseq *r = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);

	own_mask(5, true);
	for (;; board->progress[5]++) {
		if (section(r) == 2)
			wrong(5, "migrated unnoticed");
		own_mask(5, false);
	}
	return arg;
}

static void *poller(void *arg)
{
	sigset_t open;

	own_mask(6, true);
	sigemptyset(&open);
	sigaddset(&open, SIGRTMIN);
	sigaddset(&open, SIGHUP);
	for (;; board->progress[6]++) {
		struct timespec t = { 0, 3000000 };

		if (ppoll(NULL, 0, &t, &open))
			wrong(6, "ppoll");
		own_mask(6, false);
	}
	return arg;
}

static void target(void)
{
	static void *(*const body[THREADS])(void *) = { sleeper, spinner,     ping,  pong,
							waiter,	 restartable, poller };
	pthread_t t;

	have_zmm = __builtin_cpu_supports("avx512f");
	for (int i = 0; i < 256; i++)
		((uint64_t *)pattern)[i] = 0x0101010101010101ULL * (uint64_t)(i + 1);
	if (pipe(pipe_a) || pipe(pipe_b))
		_exit(2);
	event = eventfd(0, EFD_NONBLOCK);
	own_mask(0, true);
	for (int i = 1; i < THREADS; i++)
		pthread_create(&t, NULL, body[i], NULL);
	sleeper(NULL);
}

/* --- the tool ------------------------------------------------------------------------------------
 */

static void tool_init(struct dump *d, struct dump_options *o, pid_t pid)
{
	*d = (struct dump){ .opt = o };
	*o = (struct dump_options){ .pid = pid, .timeout_s = 10 };
	arena_init(&d->arena);
	blockers_init(&d->blockers, &d->arena);
}

static bool in_blob; /* by an operation that is no call */

static void question(struct dump *d, struct victim_job *job, struct thread *t, stack_t *answer)
{
	struct prog *p = job->prog = arena_new(&d->arena, struct prog);

	job->thread = t;
	answer->ss_flags = -1;
	prog_init(p, &d->arena, t->task->index);
	prog_where(p, "alternate stack");
	prog_call(p, SYS_sigaltstack, 0, prog_out(p, answer, sizeof(*answer)));
	for (int i = 1; i < CALLS; i++)
		prog_equals(prog_call0(p, SYS_gettid), t->tid);
	if (in_blob)
		prog_check(p, prog_imm(0), 0, EINVAL);
}

static int ask_all(struct dump *d)
{
	size_t n = 0, n_thread = d->tree.thread.n;
	struct victim_job *job = arena_array(&d->arena, struct victim_job, n_thread);
	stack_t *answer = arena_array(&d->arena, stack_t, n_thread);
	int r;

	vec_foreach(t, &d->tree.thread)
		if (!(*t)->dead) {
			question(d, &job[n], *t, &answer[n]);
			n++;
		}
	r = victim_run_all(d, job, n);
	for (size_t i = 0; i < n && r >= 0; i++)
		if (answer[i].ss_flags == -1)
			r = -EIO;
	return r;
}

struct figures {
	uint64_t freeze, run, withdraw, release;
};

static int tool_ends(struct dump *d, enum victim_end end, struct figures *f)
{
	uint64_t t0 = time_now_ns(), t1, t2, t3;
	int r = victim_freeze(d);

	if (r < 0)
		return blockers_report(&d->blockers) ? r : r;
	t1 = time_now_ns();
	r = ask_all(d);
	t2 = time_now_ns();
	vec_foreach(t, &d->tree.task)
		if (r >= 0)
			r = victim_withdraw(d, *t);
	t3 = time_now_ns();
	r = victim_release(d, end) < 0 && r >= 0 ? -EIO : r;
	*f = (struct figures){ t1 - t0, t2 - t1, t3 - t2, time_now_ns() - t3 };
	return r;
}

static int tool(pid_t pid)
{
	struct dump_options o;
	struct figures f;
	struct dump d;
	int r;

	tool_init(&d, &o, pid);
	r = tool_ends(&d, VICTIM_RESUME, &f);
	arena_deinit(&d.arena);
	return r;
}

/* --- judging -------------------------------------------------------------------------------------
 */

static int passed, failed, skipped, kills, harmed, leaks, eintr;

static void check(bool ok, const char *what)
{
	if (ok)
		passed++;
	else {
		failed++;
		printf("failed: %s\n", what);
	}
}

static char *slurp(pid_t pid, const char *file)
{
	char path[64], *buf = malloc(1 << 20);
	int fd;
	ssize_t n = 0, k;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY);
	while ((k = read(fd, buf + n, (size_t)((1 << 20) - 1 - n))) > 0)
		n += k;
	buf[n] = 0;
	close(fd);
	return buf;
}

static uint64_t sent;

static void send_number(pid_t pid)
{
	sigqueue(pid, SIGRTMIN, (union sigval){ .sival_int = (int)++sent });
}

/* Two rounds of every thread and all signals within the time, without a wrong result. */
static bool healthy(pid_t pid, const char *when)
{
	uint64_t begin[THREADS], until = time_now_ns() + 5000000000ULL;
	bool ok;

	memcpy(begin, board->progress, sizeof(begin));
	do {
		struct timespec t = { 0, 200000 };

		ok = board->signals == sent;
		for (int i = 0; i < THREADS; i++)
			ok &= board->progress[i] >= begin[i] + 2;
		if (!ok)
			nanosleep(&t, NULL);
	} while (!ok && time_now_ns() < until && !waitpid(pid, NULL, WNOHANG));
	for (int i = 0; i < THREADS; i++)
		if (board->errors[i] || board->progress[i] < begin[i] + 2) {
			printf("harm %s: thread %d: %s, %lu rounds\n", when, i, board->what[i],
			       board->progress[i] - begin[i]);
			board->errors[i] = 0;
			ok = false;
		}
	if (board->signals != sent || board->signal_errors) {
		printf("harm %s: %lu of %lu signals, %lu wrong\n", when, board->signals, sent,
		       board->signal_errors);
		board->signals = sent;
		board->signal_errors = 0;
	}
	return ok && !kill(pid, 0);
}

static pid_t start_target(void (*body)(void))
{
	pid_t pid = fork();

	if (!pid) {
		setsid();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		body();
		_exit(0);
	}
	return pid;
}

static void end_target(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Runs the tool with a fault; yields its wait status. */
static int trial(pid_t pid, const char *spec)
{
	int status;
	pid_t t;

	send_number(pid);
	t = fork();
	if (!t) {
		struct log_config quiet = { .fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
					    .level = LOG_ERROR };

		if (spec)
			log_setup(&quiet);
		fault_setup(spec);
		_exit(tool(pid) < 0);
	}
	send_number(pid);
	waitpid(t, &status, 0);
	return status;
}

static bool judge(pid_t *pid, char **maps, const char *when)
{
	bool ok = healthy(*pid, when);
	char *now = slurp(*pid, "maps");

	eintr += (int)board->eintr;
	board->eintr = 0;

	if (!ok) {
		harmed++;
		end_target(*pid);
		memset(board, 0, sizeof(*board));
		sent = 0;
		*pid = start_target(target);
		ok = healthy(*pid, "at the start");
		free(now);
		now = slurp(*pid, "maps");
	} else if (strcmp(now, *maps)) {
		printf("leak %s\n", when);
		leaks++;
	} else {
		free(now);
		return true;
	}
	free(*maps);
	*maps = now;
	return false;
}

static void sweep(pid_t *pid, char **maps, int stride, const char *action)
{
	int before = harmed + leaks, status = 1;

	for (int n = 1; status; n += stride) {
		char spec[64];

		snprintf(spec, sizeof(spec), "victim:%d:%s", n, action);
		status = trial(*pid, spec);
		kills += WIFSIGNALED(status);
		judge(pid, maps, spec);
		if (n > 100000)
			break;
	}
	check(harmed + leaks == before, action);
}

static void random_kills(pid_t *pid, char **maps, int n)
{
	int before = harmed + leaks;

	for (int i = 0; i < n; i++) {
		struct timespec t = { 0, rand() % 1500000 };
		pid_t tool_pid;

		send_number(*pid);
		tool_pid = fork();
		if (!tool_pid)
			_exit(tool(*pid) < 0);
		nanosleep(&t, NULL);
		kill(tool_pid, SIGKILL);
		waitpid(tool_pid, NULL, 0);
		kills++;
		judge(pid, maps, "random kill");
	}
	check(harmed + leaks == before, "random kills");
}

static void all_trials(pid_t *pid, char **maps, int stride, int kills_at_random)
{
	int before = eintr;

	for (int i = 0; i < 20; i++)
		check(!trial(*pid, NULL) && judge(pid, maps, "undisturbed") && eintr == before,
		      "undisturbed");
	sweep(pid, maps, stride, "kill");
	sweep(pid, maps, stride, "5");
	random_kills(pid, maps, kills_at_random);
}

/* --- figures -------------------------------------------------------------------------------------
 */

static int bench_threads, bench_children;

static void *wait_for_good(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void quiet_target(void)
{
	pthread_attr_t a;
	pthread_t t;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 64 * 1024);
	for (int i = 0; i < bench_children; i++)
		if (!fork())
			for (;;)
				pause();
	for (int i = 1; i < bench_threads; i++)
		pthread_create(&t, &a, wait_for_good, NULL);
	board->progress[0] = 1;
	wait_for_good(NULL);
}

static void bench(int threads, int children, int rounds)
{
	struct figures best = { 0 };
	uint64_t best_sum = UINT64_MAX;
	pid_t pid;
	int r = 0;

	bench_threads = threads;
	bench_children = children;
	board->progress[0] = 0;
	pid = start_target(quiet_target);
	while (!__atomic_load_n(&board->progress[0], __ATOMIC_ACQUIRE))
		usleep(1000);
	for (int i = 0; i < rounds + 1; i++) {
		struct dump_options o;
		struct figures f;
		struct dump d;

		tool_init(&d, &o, pid);
		r |= tool_ends(&d, i == rounds ? VICTIM_KILL : VICTIM_RESUME, &f);
		arena_deinit(&d.arena);
		if (i < rounds && f.freeze + f.run + f.withdraw + f.release < best_sum) {
			best = f;
			best_sum = f.freeze + f.run + f.withdraw + f.release;
		}
	}
	printf("%4d threads, %3d children: freeze %lu run %lu withdraw %lu release %lu us: %lu\n",
	       threads, children, best.freeze / 1000, best.run / 1000, best.withdraw / 1000,
	       best.release / 1000, best_sum / 1000 / (uint64_t)(threads + children));
	check(r == 0, "figures");
}

int main(int argc, char **argv)
{
	int stride = 1, kills_at_random = 200, o;
	bool only_bench = false;
	pid_t pid;
	char *maps;

	while ((o = getopt(argc, argv, "bk:r:")) != -1) {
		only_bench |= o == 'b';
		stride = o == 'k' ? atoi(optarg) : stride;
		kills_at_random = o == 'r' ? atoi(optarg) : kills_at_random;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (geteuid()) {
		printf("0 passed, 0 failed, 1 skipped (needs root)\n");
		return 0;
	}
	board = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!only_bench) {
		pid = start_target(target);
		check(healthy(pid, "at the start"), "target without a tool");
		maps = slurp(pid, "maps");
		all_trials(&pid, &maps, stride, kills_at_random);
		in_blob = true;
		all_trials(&pid, &maps, 3 * stride, kills_at_random / 2);
		end_target(pid);
	} else {
		if (optind < argc) {
			bench(atoi(argv[optind]), argc > optind + 1 ? atoi(argv[optind + 1]) : 0,
			      5);
			return failed;
		}
		bench(1, 0, 20);
		bench(100, 0, 10);
		bench(1000, 0, 3);
		bench(1, 100, 5);
	}
	printf("%d kills, %d harmed, %d leaks, %d EINTR\n%d passed, %d failed, %d skipped\n", kills,
	       harmed, leaks, eintr, passed, failed, skipped);
	return failed != 0;
}
