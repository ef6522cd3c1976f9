/*
 * One counter per role lives in shared memory, so that calls of forked tasks count too. With
 * injection off the whole cost is one load and one branch per system call.
 */
#include "fault.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "str.h"

struct fault_state {
	enum fault_role role;
	int task;      /* -1: any */
	uint64_t n;    /* 0: only count */
	int error;     /* positive errno; 0: SIGKILL */
	uint64_t calls[FAULT_ROLES];
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
	*state = parsed;
	return 0;
}

bool fault_armed(void)
{
	return state != NULL;
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

static int fire(void)
{
	if (!state->error)
		(void)kill(getpid(), SIGKILL); /* does not come back */
	return -state->error;
}

int fault_check(void)
{
	uint64_t n;

	if (!state)
		return 0;
	n = __atomic_add_fetch(&state->calls[here.role], 1, __ATOMIC_RELAXED);
	if (here.role != state->role || n != state->n ||
	    (state->task >= 0 && state->task != here.task))
		return 0;
	return fire();
}

int fault_operation(int task, uint32_t op)
{
	if (!state || state->role != FAULT_PROG || (state->task >= 0 && state->task != task))
		return 0;
	return op + 1 == state->n ? state->error : 0;
}

void fault_report(void)
{
	if (!state || state->n)
		return;
	for (int i = 0; i < FAULT_ROLES; i++)
		(void)fprintf(stderr, "fault: %s %lu\n", role_name[i], state->calls[i]);
}
