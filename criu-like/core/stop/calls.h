#pragma once
#include "core/stop/stopped.h"

/*
 * Programs that only ask, run as a plain list of calls by a few instructions in the vdso's tail:
 * nothing is mapped, so threads of one address space and many processes are inside at once.
 */
struct calls {
	struct thread *thread;
	const struct prog *prog;
	uint64_t at;		 /* address of its piece of the frames */
	uint32_t list, data, probe, len; /* offsets in that piece, and its length */
	uint32_t fault_op;	 /* this operation fails with that errno; 0: none does */
	int fault;
	bool started;
};

/* Whether the program can be run that way at all. */
bool calls_expressible(const struct prog *p);
/* Fills the layout; thread and prog are set. */
void calls_measure(struct calls *c);
/* Writes list and way home, lets the thread run. `buffer`: room for c->len bytes. */
int calls_start(struct dump *d, struct victim_mm *mm, struct calls *c, char *buffer);
/* Waits for the end, brings the thread home, copies the answers. */
int calls_finish(struct dump *d, struct victim_mm *mm, struct calls *c, char *buffer);
