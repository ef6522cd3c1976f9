/*
 * Programs of task kinds, made from hand-made messages: as text they must equal test/unit/golden
 * (rewritten with UPDATE_GOLDEN=1), hostile messages must be refused, and the creation of timers,
 * with and without wanted ids, is run by the blob in a child and looked at in /proc.
 *
 * What depends on the tool's own privileges or kernel is made to fail by fault injection.
 */
#include <errno.h>
#include <sys/capability.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "core/file/file.h"
#include "core/kind.h"
#include "creds.pb-c.h"
#include "itimers.pb-c.h"
#include "posix_timers.pb-c.h"
#include "rlimits.pb-c.h"
#include "sched.pb-c.h"
#include "sigaction.pb-c.h"
#include "sigpending.pb-c.h"

extern const struct task_kind kind_creds, kind_itimers, kind_posix_timers, kind_rlimits, kind_sched,
	kind_sigaction, kind_sigpending;
const struct task_kind *const task_kinds[] = { &kind_creds, NULL };
const struct fd_kind *const fd_kinds[] = { NULL };
extern const struct mem_kind *const mem_kinds[];
const struct mem_kind *const mem_kinds[] = { NULL };
extern const char blob_start[], blob_end[];

enum { AREA_BYTES = 1 << 20, STACK_BYTES = 8192 };

static struct arena arena;
static struct restore restore;
static struct task task = { .pid = 4000000 };
static struct thread leader = { .tid = 4000000, .task = &task };
static int failed, passed;

static void expect(bool ok, const char *what)
{
	printf("%s %s\n", ok ? "ok" : "FAIL", what);
	failed += !ok;
	passed += ok;
}

static void setup(void)
{
	arena_init(&arena);
	restore.arena = arena;
	blockers_init(&restore.blockers, &arena);
	*vec_push(&arena, &task.thread) = &leader;
	*vec_push(&arena, &restore.tree.task) = &task;
	*vec_push(&arena, &restore.tree.thread) = &leader;
}

static int stage(struct prog *p, const struct task_kind *k, enum stage at, const void *msg)
{
	struct stage_at s = { at, &restore, &task, &leader, NULL };

	prog_init(p, &arena, 0);
	prog_where(p, "%s", k->name);
	return k->stage(p, &s, msg);
}

/* --- golden texts --- */

static char *program_text(const struct prog *p)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	prog_print(p, f);
	(void)fclose(f);
	return text;
}

static void golden(const char *name, const struct prog *p)
{
	const char *path = arena_printf(&arena, "test/unit/golden/%s.txt", name);
	char *text = program_text(p), *wanted = arena_alloc(&arena, 1 << 16);
	FILE *f = fopen(path, getenv("UPDATE_GOLDEN") ? "w+" : "r");

	if (f && getenv("UPDATE_GOLDEN"))
		(void)fputs(text, f);
	if (f && !getenv("UPDATE_GOLDEN"))
		wanted[fread(wanted, 1, (1 << 16) - 1, f)] = 0;
	expect(f && (getenv("UPDATE_GOLDEN") || !strcmp(text, wanted)), name);
	if (failed && f && !getenv("UPDATE_GOLDEN") && strcmp(text, wanted))
		printf("%s", text);
	if (f)
		(void)fclose(f);
	free(text);
}

/* The n-th call of the tool fails in what follows; 0: none. */
static void break_call(int n)
{
	char spec[64];

	(void)snprintf(spec, sizeof(spec), "restore:%d:%d", n, EINVAL);
	(void)fault_setup(n ? spec : NULL);
	(void)fault_enter(FAULT_RESTORE, -1);
}

/* --- messages --- */

static Creds *creds_new(void)
{
	Creds *m = arena_new(&arena, Creds);
	static uint32_t ids[4] = { 1000, 1001, 1002, 1001 }, groups[] = { 7, 3000, 65534 };

	creds__init(m);
	m->n_uid = m->n_gid = 4;
	m->uid = m->gid = ids;
	m->n_group = 3;
	m->group = groups;
	m->permitted = m->inheritable = 1 << 13 | 1 << 0;
	m->effective = m->ambient = 1 << 13;
	m->bounding = UINT64_MAX & ~(1ull << 22);
	m->no_new_privs = true;
	return m;
}

/* Takes all effective capabilities away, or puts back those that were taken. */
static void set_effective(cap_t *kept, bool none)
{
	cap_t caps = none ? cap_get_proc() : *kept;

	if (none) {
		*kept = cap_dup(caps);
		(void)cap_clear_flag(caps, CAP_EFFECTIVE); /* cannot fail */
	}
	expect(!cap_set_proc(caps), "capabilities are set");
	(void)cap_free(caps);
}

static void test_creds(void)
{
	Creds *m = creds_new();
	cap_t kept;
	struct prog p;

	expect(!stage(&p, &kind_creds, STAGE_CREDS, m), "what the tool itself has is known");
	break_call(1); /* capget */
	expect(stage(&p, &kind_creds, STAGE_CREDS, m) < 0, "the tool's capabilities must be known");
	break_call(0);
	set_effective(&kept, true);
	expect(!stage(&p, &kind_creds, STAGE_CREDS, m), "creds without privilege are built");
	golden("creds-unprivileged", &p);
	set_effective(&kept, false);
	if (!geteuid() && !stage(&p, &kind_creds, STAGE_CREDS, m))
		golden("creds", &p);
	m->n_uid = 3;
	expect(kind_creds.plan(&restore, &leader, m) == -EPROTO, "three user ids");
	m = creds_new();
	m->n_group = 65537;
	expect(kind_creds.plan(&restore, &leader, m) == -EPROTO, "too many groups");
	m = creds_new();
	m->effective = 1 << 5;
	expect(kind_creds.plan(&restore, &leader, m) == -EPROTO, "effective but not permitted");
	m = creds_new();
	m->ambient = 1;
	m->inheritable = 0;
	expect(kind_creds.plan(&restore, &leader, m) == -EPROTO, "ambient but not inheritable");
	m = creds_new();
	m->securebits = 0x1000;
	expect(kind_creds.plan(&restore, &leader, m) == -ENOTSUP, "unknown secure bits");
}

static void test_sigaction(void)
{
	Sigaction m = SIGACTION__INIT;
	Sigaction__Action a = SIGACTION__ACTION__INIT, b = SIGACTION__ACTION__INIT;
	Sigaction__Action *both[] = { &a, &b };
	struct prog p;

	a.signal = SIGUSR1;
	a.handler = 0x401000;
	a.flags = SA_SIGINFO | 0x04000000;
	a.restorer = 0x402000;
	a.mask = 0xff;
	b.signal = SIGCHLD;
	b.handler = 1;
	m.action = both;
	m.n_action = 2;
	expect(!kind_sigaction.plan(&restore, &leader, &m), "two actions");
	(void)stage(&p, &kind_sigaction, STAGE_INHERIT, &m);
	golden("sigaction", &p);
	(void)stage(&p, &kind_sigaction, STAGE_SIGNALS, &m);
	golden("sigaction-child", &p);
	b.signal = SIGUSR1;
	expect(kind_sigaction.plan(&restore, &leader, &m) == -EPROTO, "an action twice");
	b.signal = SIGKILL;
	expect(kind_sigaction.plan(&restore, &leader, &m) == -EPROTO, "an action of SIGKILL");
	b.signal = 65;
	expect(kind_sigaction.plan(&restore, &leader, &m) == -EPROTO, "an action of signal 65");
}

static void test_hostile(void)
{
	Sigpending s = SIGPENDING__INIT;
	Rlimits l = RLIMITS__INIT;
	Sched c = SCHED__INIT;
	Itimers t = ITIMERS__INIT;
	uint8_t info[128] = { SIGSTOP };
	ProtobufCBinaryData one = { sizeof(info), info };

	s.info = &one;
	s.n_info = 1;
	expect(kind_sigpending.plan(&restore, &leader, &s) == -EPROTO, "SIGSTOP in a queue");
	one.len = 20;
	info[0] = SIGUSR1;
	expect(kind_sigpending.plan(&restore, &leader, &s) == -EPROTO, "a short siginfo");
	expect(kind_rlimits.plan(&restore, &leader, &l) == -EPROTO, "no limits");
	expect(kind_itimers.plan(&restore, &leader, &t) == -EPROTO, "no interval timers");
	expect(kind_sched.plan(&restore, &leader, &c) == -EPROTO, "an empty affinity");
	c.affinity = (ProtobufCBinaryData){ 1, (uint8_t[]){ 255 } };
	c.policy = 77;
	expect(kind_sched.plan(&restore, &leader, &c) == -ENOTSUP, "an unknown policy");
	c.policy = 0;
	c.flags = 1ull << 40;
	expect(kind_sched.plan(&restore, &leader, &c) == -ENOTSUP, "unknown scheduling flags");
	c.flags = 0;
	c.nice = 20;
	expect(kind_sched.plan(&restore, &leader, &c) == -EPROTO, "nice value 20");
}

/* --- timers, for real --- */

static PosixTimers *timers_new(void)
{
	static const int32_t id[] = { 0, 3, 60 };
	PosixTimers *m = arena_new(&arena, PosixTimers);

	posix_timers__init(m);
	m->n_timer = 3;
	m->timer = arena_array(&arena, PosixTimers__Timer *, 3);
	for (int i = 0; i < 3; i++) {
		PosixTimers__Timer *t = m->timer[i] = arena_new(&arena, PosixTimers__Timer);

		posix_timers__timer__init(t);
		t->id = id[i];
		t->clock = CLOCK_MONOTONIC;
		t->signal = SIGUSR1 + i;
		t->value = 0xabc0 + (uint64_t)i;
		t->left_ns = i ? 5000000000 : 0;
		t->interval_ns = i == 2 ? 1000000000 : 0;
	}
	return m;
}

/* Runs the program in a child; yields the child, which is parked, once it has passed word 0. */
static pid_t run(struct prog *p)
{
	char *area = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct prog_report *rep = (struct prog_report *)(area + AREA_REPORT);
	pid_t pid;

	prog_pass(p, 0);
	prog_park(p);
	prog_place(p, AREA_REPORT + 4096);
	memcpy(area, blob_start, (size_t)(blob_end - blob_start));
	prog_emit(p, area, (uintptr_t)area);
	pid = fork();
	if (!pid)
		__asm__ volatile("mov %0, %%rsp\n\tjmp *%1"
				 :
				 : "r"(area + AREA_BYTES - 64), "r"(area), "D"(area),
				   "S"((long)p->at));
	while (!__atomic_load_n(&rep->word[0], __ATOMIC_ACQUIRE) && !rep->error)
		(void)syscall(SYS_futex, &rep->word[0], FUTEX_WAIT, 0, NULL, NULL, 0);
	if (rep->error)
		printf("  '%s': %s\n", prog_label(p, rep->where), strerror(rep->error));
	return pid;
}

static void timers_of(pid_t pid, char *ret, size_t size)
{
	char path[64];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/timers", pid);
	f = fopen(path, "r");
	n = f ? fread(ret, 1, size - 1, f) : 0;
	ret[n] = 0;
	if (f)
		(void)fclose(f);
}

static void look_at_timers(struct prog *p, const char *what)
{
	pid_t pid = run(p);
	char text[4096];

	timers_of(pid, text, sizeof(text));
	expect(strstr(text, "ID: 60\nsignal: 14/") && strstr(text, "ID: 3\nsignal: 12/") &&
		       strstr(text, "ID: 0\nsignal: 10/") && strstr(text, "abc2") &&
		       !strstr(text, "\nID: 1\n") && !strstr(text, "\nID: 59\n"),
	       what);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static void test_timers(void)
{
	PosixTimers *m = timers_new();
	struct prog p;

	m->timer[2]->signal = SIGALRM;
	m->timer[1]->signal = SIGUSR2;
	expect(!kind_posix_timers.plan(&restore, &leader, m), "three timers");
	break_call(1); /* prctl: no wanted ids */
	(void)stage(&p, &kind_posix_timers, STAGE_SIGNALS, m);
	golden("timers-counted", &p);
	break_call(0);
	look_at_timers(&p, "ids by counting");
	(void)stage(&p, &kind_posix_timers, STAGE_SIGNALS, m);
	look_at_timers(&p, "ids as this kernel gives them");
	(void)stage(&p, &kind_posix_timers, STAGE_ARM, m);
	golden("timers-armed", &p);
	m->timer[2]->id = 3;
	expect(kind_posix_timers.plan(&restore, &leader, m) == -EPROTO, "an id twice");
	m->timer[2]->id = 60;
	m->timer[2]->notify = 77;
	expect(kind_posix_timers.plan(&restore, &leader, m) == -EPROTO, "an unknown notification");
	m->timer[2]->notify = SIGEV_THREAD_ID;
	m->timer[2]->has_target_thread = true;
	m->timer[2]->target_thread = 5;
	expect(kind_posix_timers.plan(&restore, &leader, m) == -EPROTO,
	       "a thread that is not there");
}

int main(void)
{
	setup();
	log_setup(&(struct log_config){ .fd = -1, .level = getenv("VERBOSE") ? LOG_ERROR : -1 });
	test_creds();
	test_sigaction();
	test_timers();
	test_hostile();
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
