#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/prog.h"
#include "core/restore.h"

/*
 * The area of a restore: shared memory at one address in the coordinator and all restored tasks,
 * with the blob, the report page, one byte per task that says it was born, stacks and programs.
 * Made before the first fork; every task unmaps it (from outside) as the last thing.
 */

/* Barrier words of the report page. Tasks pass those of the first group, the coordinator the
 * others. */
enum area_word {
	WORD_FORKED,   /* by every process once its children exist and its session is final */
	WORD_GROUPED,  /* by every process once it is in its process group */
	WORD_MAPPED,   /* by owners of an address space that other processes share */
	WORD_RESTORED, /* by every thread: all but signals, credentials, timers */
	WORD_SIGNALED, /* by every thread: pending signals queued */
	WORD_CREDS_DONE,
	WORD_PARKED,
	WORD_GO,      /* coordinator: late descriptors are open */
	WORD_DIE,     /* coordinator: zombies shall die */
	WORD_SIGNALS, /* coordinator: they are dead */
	WORD_CREDS,   /* coordinator: every thread is traced */
	WORD_ARM,     /* coordinator: credentials are final everywhere */
	WORD_ENTERED, /* by processes that share an address space, and by early threads: they run
			 the blob and nothing else of it */
	WORD_THREADS, /* by leaders with early threads: those may go on */
	WORD_SECCOMP, /* by leaders: filters that all threads share are installed */
};
_Static_assert((int)WORD_SECCOMP < (int)PROG_WORDS, "all words fit the report page");

enum { AREA_STACK_BYTES = 4096 };

/* Finds the place, in which every task and the coordinator have room. */
int area_reserve(struct restore *r);
/* Offset of `len` bytes (16-byte aligned) in the area, while it is being planned. */
uint32_t area_take(struct restore *r, uint32_t len);
/* Maps the area of the size that was taken and puts the blob into it. */
int area_map(struct restore *r);

struct prog_report *area_report(const struct restore *r);
/* Where tasks put their messages; the coordinator writes them out. */
struct log_buffer *area_log(const struct restore *r);
/* One byte per birth: set by the process itself, first thing. */
uint8_t *area_born(const struct restore *r, uint32_t birth);

/* For host code in any process of the restore. */
void area_pass(struct restore *r, enum area_word w, uint32_t n);
/* Nobody waits until the word has reached less than that: passing it wakes nobody before. */
void area_goal(struct restore *r, enum area_word w, uint32_t goal);
/* Waits until the word has reached `target`; -ECANCELED when somebody failed (it has been
 * reported) or the tool is dead. The coordinator itself uses watch_wait(). */
int area_wait(struct restore *r, enum area_word w, uint32_t target);
/* Marks the restore as failed (after the failure was logged) and wakes everybody. */
void area_fail(struct restore *r);
bool area_failed(const struct restore *r);
