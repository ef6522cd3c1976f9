/*
 * The program interpreter: the only code of ours that ever runs in a foreign address space (dump)
 * or in one that is being built (restore). It knows system calls and nothing else: no kind, no
 * libc, no globals, no pointers in what it reads. Every number it needs was computed on the host.
 *
 * A failure is reported once, in the shared page: whoever exchanges `claim` first writes what
 * happened, `error` last; then every barrier is woken and the failing task goes on at `on_error`
 * (dump: the way home) or parks (restore: the host kills it).
 */
#include "program.h"

#include "arch.h"

enum {
	FUTEX_WAIT_OP = 0,
	FUTEX_WAKE_OP = 1,
	E_INTR = 4,
	E_IO = 5,
	E_EXIST = 17,
	WAKE_ALL = 0x7fffffff,
	START_TRIES = 1000
};

static inline long futex(uint32_t *word, long op, long value)
{
	const long a[6] = { (long)word, op, value, 0, 0, 0 };

	return arch_call(NR_FUTEX, a);
}

static void report(char *base, const struct prog_head *p, uint32_t i, long error)
{
	struct prog_report *rep = (struct prog_report *)(base + AREA_REPORT);
	const struct prog_op *op = (const struct prog_op *)(base + p->op) + i;

	if (!__atomic_exchange_n(&rep->claim, 1, __ATOMIC_ACQ_REL)) {
		rep->task = p->task;
		rep->op = i;
		rep->where = op->where;
		__atomic_store_n(&rep->error, (int32_t)error, __ATOMIC_RELEASE);
	}
	for (int w = 0; w < PROG_WORDS; w++)
		(void)futex(&rep->word[w], FUTEX_WAKE_OP, WAKE_ALL);
}

static inline int accepted(const struct prog_op *op, long result)
{
	uint32_t set = (uint32_t)op->expect;

	for (; set; set >>= 8)
		if (-result == (long)(set & 0xff))
			return 1;
	return 0;
}

/* 0, or the positive errno of a failure. */
static inline long judge(const struct prog_op *op, const long *arg, long result)
{
	if (op->flags & PROG_ANY)
		return 0;
	if (result < 0 && result > -4096)
		return (op->flags & PROG_ACCEPT) && accepted(op, result) ? 0 : -result;
	if (((op->flags & PROG_EQUALS) && result != op->expect) ||
	    ((op->flags & PROG_IS_ARG0) && result != arg[0]))
		return (op->flags & PROG_IS_ARG0) ? E_EXIST : E_IO;
	return 0;
}

static long transfer(long nr, long *arg)
{
	long positioned = nr == NR_PREAD64 || nr == NR_PWRITE64;

	while (arg[2] > 0) {
		long n = arch_call(nr, arg);

		if (n == -E_INTR)
			continue;
		if (n <= 0)
			return n ? -n : E_IO;
		arg[1] += n;
		arg[2] -= n;
		arg[3] += positioned ? n : 0;
	}
	return 0;
}

static void copy(volatile char *to, const volatile char *from, long n)
{
	for (long i = 0; i < n; i++)
		to[i] = from[i];
}

static void pass(char *base, long word)
{
	struct prog_report *rep = (struct prog_report *)(base + AREA_REPORT);
	uint32_t n = __atomic_add_fetch(&rep->word[word], 1, __ATOMIC_ACQ_REL);

	if (n >= __atomic_load_n(&rep->goal[word], __ATOMIC_ACQUIRE))
		(void)futex(&rep->word[word], FUTEX_WAKE_OP, WAKE_ALL);
}

static void wait(char *base, long word, long target)
{
	struct prog_report *rep = (struct prog_report *)(base + AREA_REPORT);

	for (;;) {
		uint32_t seen = __atomic_load_n(&rep->word[word], __ATOMIC_ACQUIRE);

		if (__atomic_load_n(&rep->claim, __ATOMIC_ACQUIRE))
			for (;;)
				arch_pause();
		if ((int32_t)(seen - (uint32_t)target) >= 0)
			return;
		(void)futex(&rep->word[word], FUTEX_WAIT_OP, seen);
	}
}

static inline long start(char *base, const long *arg)
{
	struct prog_report *rep = (struct prog_report *)(base + AREA_REPORT);
	const long millisecond[2] = { 0, 1000000 };
	const long nap[6] = { (long)&rep->reserved[0], FUTEX_WAIT_OP, 0, (long)millisecond, 0, 0 };
	long tid = arch_start(arg[0], arg[1], base, arg[2]);

	/* A number stays taken for an instant after its last thread was reaped, and no call tells.
	 */
	for (int i = 0; i < START_TRIES && tid == -E_EXIST; i++) {
		(void)arch_call(NR_FUTEX, nap);
		tid = arch_start(arg[0], arg[1], base, arg[2]);
	}
	if (tid < 0)
		return -tid;
	return tid == arg[3] ? 0 : E_EXIST;
}

static inline void load(char *base, const struct prog_head *p, const struct prog_op *op, long *arg)
{
	for (int i = 0; i < 6; i++) {
		long kind = (op->kinds >> (2 * i)) & 3;

		arg[i] = op->arg[i];
		if (kind == ARG_AREA)
			arg[i] += (long)base;
		else if (kind == ARG_SLOT)
			arg[i] = ((int64_t *)(base + p->slot))[arg[i]];
		else if (kind == ARG_WORD)
			arg[i] = *(volatile int32_t *)(base + arg[i]);
	}
}

/* One operation; yields the positive errno of a failure. *back: how far to go back. */
static long step(char *base, const struct prog_head *p, const struct prog_op *op, long *back)
{
	int64_t *slot = (int64_t *)(base + p->slot);
	long arg[6], r;

	load(base, p, op, arg);
	switch (op->verb) {
	case VERB_CALL:
		r = arch_call(op->nr, arg);
		if (op->flags & PROG_STORE)
			slot[op->slot] = r;
		return judge(op, arg, r);
	case VERB_FULL:
		return transfer(op->nr, arg);
	case VERB_COPY:
		copy((char *)arg[0], (const char *)arg[1], arg[2]);
		return 0;
	case VERB_LOAD:
		slot[op->slot] = *(volatile int64_t *)arg[0];
		return 0;
	case VERB_CHECK:
		return arg[0] == arg[1] ? 0 : op->expect;
	case VERB_LOOP:
		if (arg[0] == arg[1])
			return 0;
		*back = arg[2];
		return slot[op->slot]++ < arg[3] ? 0 : E_IO;
	case VERB_START:
		return start(base, arg);
	case VERB_PASS:
		pass(base, arg[0]);
		return 0;
	case VERB_WAIT:
		wait(base, arg[0], arg[1]);
		return 0;
	case VERB_LEAVE:
		arch_leave(arg);
	default:
		for (;;)
			arch_pause();
	}
}

__attribute__((used)) _Noreturn void run(char *base, long program)
{
	const struct prog_head *p = (const struct prog_head *)(base + program);
	const struct prog_op *ops = (const struct prog_op *)(base + p->op);

	for (uint32_t i = 0; i < p->n_op;) {
		long back = 0, error = step(base, p, &ops[i], &back);

		if (!error) {
			i = i + 1 - (back ? (uint32_t)back + 1 : 0);
			continue;
		}
		report(base, p, i, error);
		if (ops[i].flags & PROG_VITAL)
			arch_exit();
		i = i < p->on_error ? p->on_error : p->n_op;
	}
	for (;;)
		arch_pause();
}
