#pragma once
/*
 * What every test body links with. A body builds one state, calls checkpoint(), which returns only
 * in the restored (or resumed) process, compares what it finds with check() and leaves with `return
 * test_end();`. No descriptor of the harness is open in the task: readiness is visible in /proc,
 * the word to go on is a signal.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { GO_SIGNAL = 62, EXIT_SKIP = 77 };

/* Blocks until the runner has dumped and restored (or resumed) the tree. Only the root task's main
 * thread calls it. */
void checkpoint(void);

/* The same for all other tasks and threads: they sleep in a futex on shared memory until the root's
 * checkpoint() returned. */
void checkpoint_wait(void);

/* Counts in a task or thread that sleeps in a call of its own instead; the runner waits until it
 * does. */
void checkpoint_arrive(void);

/* Makes the page on which tasks count themselves in; only needed where the first of them is forked
 * by a task other than the root. */
void checkpoint_prepare(void);

/* True once the root's checkpoint() returned; for tasks that must not sleep in checkpoint_wait().
 */
bool checkpoint_passed(void);

/* Reports a wrong result and goes on. The first argument is the condition, then a printf text.
 * Gives the condition. */
#define check(cond, ...) check_at((cond), __FILE__ ":" TEXT(__LINE__) ": " #cond, "" __VA_ARGS__)
bool check_at(bool ok, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define TEXT(x)	 TEXT_(x)
#define TEXT_(x) #x

/* For building the state: anything that fails (false or negative) ends the body with status 1.
 * Gives the value. */
#define must(value)                                               \
	({                                                        \
		__auto_type value_ = (value);                     \
		must_at(value_ >= 0, __FILE__, __LINE__, #value); \
		value_;                                           \
	})
#define must_true(cond) must_at((cond), __FILE__, __LINE__, #cond)
#define must_ptr(p)                                                              \
	({                                                                       \
		__auto_type p_ = (p);                                            \
		must_at(p_ && (void *)p_ != (void *)-1, __FILE__, __LINE__, #p); \
		p_;                                                              \
	})
void must_at(bool ok, const char *file, int line, const char *expr);

/* Ends the body as skipped, with a reason that the runner prints. */
__attribute__((noreturn, format(printf, 1, 2))) void skip(const char *fmt, ...);

/* Waits for the tasks made by task_fork() and gives the exit status of the body: 0 only if no check
 * failed anywhere. */
int test_end(void);

/* fork() whose child is counted: the root's checkpoint() waits until it called checkpoint_wait().
 * The child leaves by test_end(). */
pid_t task_fork(void);

/* The same with CLONE_FS, CLONE_FILES... (no new stack: not CLONE_VM). */
pid_t task_clone(unsigned long flags);

/* Runs fn(arg) in a counted child and exits it with the result of its checks. fn calls
 * checkpoint_wait(). */
pid_t task_run(void (*fn)(void *), void *arg);

/* A counted thread; fn calls checkpoint_wait(). Threads are joined by thread_join_all(), called by
 * test_end() too. */
void thread_run(void (*fn)(void *), void *arg);
void thread_join_all(void);

/* Shared anonymous memory, inherited by all tasks forked later. */
void *shared_alloc(size_t len);

/* A futex word in shared memory that only grows: event_add() wakes, event_wait() sleeps until it
 * reached value. */
void event_add(uint32_t *event);
void event_wait(const uint32_t *event, uint32_t value);

/* Deterministic bytes: the same seed gives the same bytes. pattern_ok() compares without copying.
 */
void pattern_fill(void *buf, size_t len, uint64_t seed);
bool pattern_ok(const void *buf, size_t len, uint64_t seed);

/* First value after "key:" in /proc/self/<file>, e.g. proc_value("status", "SigBlk", buf, sizeof
 * buf). */
bool proc_value(const char *file, const char *key, char *ret, size_t len);
