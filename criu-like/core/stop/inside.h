#pragma once
#include "core/stop/stopped.h"

/*
 * The states of a thread that runs our code, each of which cures itself when the tool dies:
 *
 *   home     its own registers and mask.
 *   leaning  at a bare `ret`, the stack pointer at its chain: it goes home by the frame. The
 * keeper's chain unmaps the blob first; exactly one thread of an address space is keeper while the
 *            blob is mapped, and nobody else is inside then.
 *   inside   the keeper runs a program in the blob, whose last operation does what leaning does.
 */
/* Reads where things are, makes the way home available. Once is enough. */
int inside_survey(struct dump *d, struct victim_mm *mm, bool hole);
/* Chooses the signal that ends what the thread runs. */
int inside_prepare(struct dump *d, struct victim_thread *v);
/* The way home is written: registers first, then the mask. */
int inside_leave_home(struct victim_thread *v, const struct user_regs_struct *r);
int inside_map(struct dump *d, struct victim_mm *mm, struct victim_thread *v, uint32_t program_len);
int inside_unmap(struct dump *d, struct victim_mm *mm);
int inside_become_keeper(struct dump *d, struct victim_mm *mm, struct victim_thread *v);
int inside_lean(struct victim_mm *mm, struct victim_thread *v);
int inside_go_home(struct victim_thread *v);
/* Where the chain of this thread's frame goes on behind the unmapping. */
uint64_t inside_way_home(const struct victim_mm *mm, const struct victim_thread *v);
/* Lets the thread run, with a signal: to the next stop that inside_await_marker() looks at. */
int inside_resume(const struct victim_thread *v, int sig);
/* Waits until the thread inside reports by its marker; signals and stops on the way are passed by.
 */
int inside_await_marker(struct dump *d, struct victim_thread *v);
