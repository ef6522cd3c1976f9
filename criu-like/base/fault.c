/*
 * One counter per role lives in shared memory, so that calls of forked tasks count too. With
 * injection off the whole cost is one load and one branch per system call.
 *
 * While counting, the first call of each place is noted: a place is told by the return addresses
 * above it, so that one wrapper called from two functions makes two places; relative to our own
 * code, so that it has the same number in every run of one build.
 */
#include "fault.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "str.h"

enum { PLACES = 8192, FRAMES = 7, FRAMES_OWN = 2 };

struct fault_state {
	enum fault_role role;
	int task;      /* -1: any */
	uint64_t n;    /* 0: only count */
	int error;     /* positive errno; 0: SIGKILL */
	uint64_t calls[FAULT_ROLES];
	struct {
		uint64_t hash; /* 0: free */
		uint64_t n;
	} place[PLACES];
};

static struct fault_state *state; /* NULL: off */
static struct fault_place here = { FAULT_DUMP, -1 };

static const char *const role_name[FAULT_ROLES] = {
	[FAULT_DUMP] = "dump",	   [FAULT_VICTIM] = "victim", [FAULT_RESTORE] = "restore",
	[FAULT_OPENER] = "opener", [FAULT_NS] = "ns",	      [FAULT_SELF] = "self",
	[FAULT_PROG] = "prog",
};

static int parse(const char *spec, struct fault_state *s)
{
	char name[16], action[16] = "5";
	uint32_t error = 0;
	int got;

	s->task = -1;
	got = sscanf(spec, "%15[a-z].%d:%lu:%15s", name, &s->task, &s->n, action);
	if (got < 3)
		got = sscanf(spec, "%15[a-z]:%lu:%15s", name, &s->n, action);
	if (got < 2)
		return -EINVAL;
	if (strcmp(action, "kill") != 0 && (span_u32(span_of(action), 10, &error) || !error))
		return -EINVAL;
	s->error = (int)error;
	for (int i = 0; i < FAULT_ROLES; i++)
		if (!strcmp(name, role_name[i])) {
			s->role = (enum fault_role)i;
			return 0;
		}
	return -EINVAL;
}

int fault_setup(const char *spec)
{
	struct fault_state parsed = { 0 };
	int r = spec ? parse(spec, &parsed) : 0;

	if (!spec || r)
		return r;
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (state == MAP_FAILED) {
		state = NULL;
		return -ENOMEM;
	}
	state->role = parsed.role;
	state->task = parsed.task;
	state->n = parsed.n;
	state->error = parsed.error;
	return 0;
}

bool fault_armed(void)
{
	return state != NULL;
}

void fault_off(void)
{
	state = NULL;
}

struct fault_place fault_enter(enum fault_role role, int task)
{
	struct fault_place previous = here;

	here = (struct fault_place){ role, task };
	return previous;
}

void fault_leave(struct fault_place previous)
{
	here = previous;
}

/* Where it fires, for addr2line, to the end of a file. */
static void trace(void)
{
	const char *path = getenv("TORPOR_FAULT_TRACE");
	void *frame[FRAMES];
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		return;
	backtrace_symbols_fd(frame, backtrace(frame, FRAMES), fd);
	(void)close(fd); /* for people; nothing depends on it */
}

static int fire(void)
{
	trace();
	if (!state->error)
		(void)kill(getpid(), SIGKILL); /* does not come back */
	return -state->error;
}

/* Open hashing; a table that is full forgets places, and the sweep's stride still finds them. */
static void note_place(uint64_t n)
{
	void *frame[FRAMES];
	uint64_t hash = (uint64_t)here.role + 1, base = (uint64_t)(uintptr_t)fault_setup;
	int got = backtrace(frame, FRAMES);

	for (int i = FRAMES_OWN; i < got; i++)
		hash = (hash ^ ((uint64_t)(uintptr_t)frame[i] - base)) * 0x9e3779b97f4a7c15ULL;
	hash = (hash | 1) << 4 | (uint64_t)here.role;
	for (uint64_t i = 0; i < PLACES; i++) {
		uint64_t free = 0, *slot = &state->place[(hash >> 20 ^ i) % PLACES].hash;

		if (__atomic_load_n(slot, __ATOMIC_RELAXED) == hash)
			return;
		if (!__atomic_compare_exchange_n(slot, &free, hash, false, __ATOMIC_RELAXED,
						 __ATOMIC_RELAXED))
			continue;
		state->place[(hash >> 20 ^ i) % PLACES].n = n;
		return;
	}
}

int fault_check(void)
{
	uint64_t n;

	if (!state)
		return 0;
	n = __atomic_add_fetch(&state->calls[here.role], 1, __ATOMIC_RELAXED);
	if (!state->n)
		note_place(n);
	if (here.role != state->role || n != state->n ||
	    (state->task >= 0 && state->task != here.task))
		return 0;
	return fire();
}

int fault_operation(int task, uint32_t op)
{
	if (!state)
		return 0;
	if (op + 1 > state->calls[FAULT_PROG])
		state->calls[FAULT_PROG] = op + 1; /* of the longest program */
	if (state->role != FAULT_PROG || (state->task >= 0 && state->task != task))
		return 0;
	if (op + 1 != state->n)
		return 0;
	return state->error ? state->error : -1;
}

void fault_report(void)
{
	if (!state || state->n)
		return;
	for (int i = 0; i < FAULT_ROLES; i++)
		(void)fprintf(stderr, "fault: %s %lu\n", role_name[i], state->calls[i]);
	for (int i = 0; i < PLACES; i++)
		if (state->place[i].hash)
			(void)fprintf(stderr, "fault: place %s %lu %lx\n",
				      role_name[state->place[i].hash & 15], state->place[i].n,
				      state->place[i].hash);
}
