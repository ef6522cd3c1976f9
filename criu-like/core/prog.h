#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/vec.h"
#include "pie/program.h"

/*
 * Building programs on the host (the format is pie/program.h). Arguments are plain integers, or
 * references made by prog_in/prog_out/prog_room (data of the program), prog_slot (an earlier
 *result). Host pointers are never arguments: the compiler rejects them.
 *
 *	prog_where(p, "interval timer %d", i);
 *	prog_call(p, SYS_getitimer, i, prog_out(p, &it[i], sizeof(it[i])));
 *
 * The pointer to an operation that a function yields is valid until the next one is appended; it is
 * there to be passed on at once: prog_accept(prog_call(p, ...), EPERM).
 */
struct prog_arg {
	int64_t value;
	uint32_t kind;
};
struct prog_patch {
	uint32_t at;     /* data offset of a 64-bit pointer ... */
	uint32_t target; /* ... to this data offset */
};
struct prog_copy_back {
	uint32_t at, len_bytes;
	void *host;
};
struct prog_copy_slot {
	uint32_t slot;
	int64_t *host;
};
struct prog {
	struct arena *arena;
	uint32_t task; /* index of the task, for reports and faults */
	uint32_t where;
	uint32_t n_slot, on_error;
	VEC(struct prog_op) op;
	VEC(const char *) label;        /* index: prog_op.where */
	VEC(struct prog_patch) patch;
	VEC(struct prog_copy_back) out;
	VEC(struct prog_copy_slot) result;
	VEC(struct prog *) started;     /* programs of VERB_START operations */
	char *data;
	uint32_t data_len, data_cap;
	uint32_t at;                    /* offset in the area, set by prog_place() */
};

void prog_init(struct prog *p, struct arena *a, uint32_t task);

/* Makes room for as much as the other one has, so that growing does not cost memory. */
void prog_expect(struct prog *p, const struct prog *other);

/* Names the operations that follow, for messages ("map '/lib/x.so' at 7f..."). */
void prog_where(struct prog *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same with a text that lives as long as the program. */
void prog_where_text(struct prog *p, const char *text);

/* Data: copied in now; copied back to `host` by prog_fetch() after a run; or just room. 16-byte
 * aligned. */
struct prog_arg prog_in(struct prog *p, const void *bytes, size_t len);
struct prog_arg prog_out(struct prog *p, void *host, size_t len);
struct prog_arg prog_room(struct prog *p, size_t len);
/* A 64-bit pointer at byte `field` of the data `in` shall point to byte `add` of the data `target`.
 */
void prog_point(struct prog *p, struct prog_arg in, uint32_t field, struct prog_arg target,
		uint32_t add);
/* Byte `add` of a piece of data. */
struct prog_arg prog_inside(struct prog_arg data, uint32_t add);
/* The 32-bit number that lies there when the operation runs. */
struct prog_arg prog_word(struct prog_arg data);

static inline struct prog_arg prog_imm(int64_t value)
{
	return (struct prog_arg){ value, ARG_IMM };
}
static inline struct prog_arg prog_same(struct prog_arg a)
{
	return a;
}
#define PROG_ARG(x) _Generic((x), struct prog_arg : prog_same, default : prog_imm)(x)
#define PROG_N(a, b, c, d, e, f, n, ...) n
#define PROG_MAP1(a) PROG_ARG(a)
#define PROG_MAP2(a, ...) PROG_ARG(a), PROG_MAP1(__VA_ARGS__)
#define PROG_MAP3(a, ...) PROG_ARG(a), PROG_MAP2(__VA_ARGS__)
#define PROG_MAP4(a, ...) PROG_ARG(a), PROG_MAP3(__VA_ARGS__)
#define PROG_MAP5(a, ...) PROG_ARG(a), PROG_MAP4(__VA_ARGS__)
#define PROG_MAP6(a, ...) PROG_ARG(a), PROG_MAP5(__VA_ARGS__)
#define PROG_MAP(...)                                                                              \
	PROG_N(__VA_ARGS__, PROG_MAP6, PROG_MAP5, PROG_MAP4, PROG_MAP3, PROG_MAP2, PROG_MAP1)      \
	(__VA_ARGS__)

/* A system call; a negative result fails the program unless the flags say otherwise. */
#define prog_call(p, nr, ...)                                                                      \
	prog_append((p), VERB_CALL, (nr), (const struct prog_arg[6]){ PROG_MAP(__VA_ARGS__) })
#define prog_call0(p, nr) prog_append((p), VERB_CALL, (nr), (const struct prog_arg[6]){ { 0, 0 } })
/* The whole of arg[2] bytes by read, write, pread64 or pwrite64. */
#define prog_full(p, nr, ...)                                                                      \
	prog_append((p), VERB_FULL, (nr), (const struct prog_arg[6]){ PROG_MAP(__VA_ARGS__) })
struct prog_op *prog_append(struct prog *p, enum prog_verb verb, long nr,
			    const struct prog_arg arg[6]);

struct prog_op *prog_any(struct prog_op *op);                /* any result will do */
struct prog_op *prog_accept(struct prog_op *op,
			    int error); /* up to four errnos that are no failure */
struct prog_op *prog_equals(struct prog_op *op, int result);
struct prog_op *prog_is_arg0(struct prog_op *op);
struct prog_op *prog_vital(struct prog_op *op); /* a failure ends the process */
/* Keeps the result of the last appended operation; the reference may be used as an argument later.
 */
struct prog_arg prog_keep(struct prog *p);
/* The result of the last appended operation, a tolerated -errno too, is put there by prog_fetch().
 */
void prog_result(struct prog *p, int64_t *host);

/* The 64-bit number that lies there when the program comes by. */
struct prog_arg prog_load(struct prog *p, struct prog_arg data);
/* Copies len bytes between addresses. */
void prog_copy(struct prog *p, struct prog_arg to, struct prog_arg from, size_t len);
void prog_check(struct prog *p, struct prog_arg value, int64_t wanted, int error);
/* Repeats the last n_op operations while value != wanted, at most max times. */
void prog_loop(struct prog *p, uint32_t n_op, struct prog_arg value, int64_t wanted, uint32_t max);
/* clone3 with these arguments (struct clone_args in data); the child runs `child`; must get `tid`.
 */
void prog_start(struct prog *p, struct prog_arg clone_args, size_t size, struct prog *child,
		int tid);
void prog_pass(struct prog *p, uint32_t word);
void prog_wait(struct prog *p, uint32_t word, uint32_t target);
void prog_park(struct prog *p);
/* What follows runs also after a failure (the way home of a program in a victim). */
void prog_on_error_here(struct prog *p);

/*
 * Appends what another program has between two marks, its data and labels with it; false when that
 * is more than calls and data to read.
 */
struct prog_mark {
	size_t op, patch, out, result, started;
	uint32_t data, slot;
};
struct prog_mark prog_mark(const struct prog *p);
bool prog_repeat(struct prog *p, const struct prog *of, struct prog_mark from, struct prog_mark to);

/* Layout: how many bytes the program needs; then its place (16-byte aligned offset); then its
 * bytes. */
uint32_t prog_size(const struct prog *p);
void prog_place(struct prog *p, uint32_t at);
/* Writes the program into the area image at host address `area`; the area will be mapped at `base`.
 */
void prog_emit(const struct prog *p, char *area, uint64_t base);
/* Copies prog_out data and results from an area image (as it was after the run) to the host. */
void prog_fetch(const struct prog *p, const char *area);
const char *prog_label(const struct prog *p, uint32_t where);
/* One line per operation, like strace. */
void prog_print(const struct prog *p, FILE *out);
