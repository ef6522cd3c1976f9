#pragma once
#include <stddef.h>
#include <stdint.h>

/*
 * Programs of system calls: the one format shared by the host, which builds them, and the blob,
 * which runs them inside a foreign or half-built address space. Everything lies in one *area*:
 *
 *   0              the blob's code
 *   AREA_REPORT    struct prog_report: the first failure, and the words of the barriers
 *   behind it      programs: operations, slots, data, stacks, in any order
 *
 * All references are offsets from the start of the area. A program is named by the offset of its
 * struct prog_head.
 */
enum { AREA_CODE_BYTES = 4096, AREA_REPORT = AREA_CODE_BYTES, PROG_WORDS = 32 };

enum prog_verb {
	VERB_CALL,  /* make the call, judge the result by the flags */
	VERB_FULL,  /* read/write/pread64/pwrite64: repeat until arg[2] bytes are done */
	VERB_COPY,  /* copy arg[2] bytes from address arg[1] to arg[0] */
	VERB_CHECK, /* fail with `expect` as errno unless arg[0] == arg[1] */
	VERB_LOOP,  /* while arg[0] != arg[1], and at most arg[3] times (counted in slot): back
		       arg[2] operations */
	VERB_START, /* clone3(clone_args at arg[0], arg[1] bytes); the child runs program arg[2];
		       result must equal arg[3] */
	VERB_PASS,  /* add 1 to barrier word arg[0] and wake its waiters */
	VERB_WAIT,  /* wait until barrier word arg[0] has reached arg[1] */
	VERB_PARK,  /* sleep for good (all signals are blocked): the host takes over */
	VERB_LEAVE, /* registers sp=arg[0] rax=arg[1] rdi=arg[2] rsi=arg[3], jump to address arg[4]
		     */
	VERB_LOAD,  /* the 64-bit number at address arg[0] into `slot` */
	VERB_COUNT
};

enum prog_flag {
	PROG_ANY = 1,      /* any result will do */
	PROG_ACCEPT = 2,   /* errnos in the four bytes of `expect` are no failure */
	PROG_EQUALS = 4,   /* the result must be `expect` */
	PROG_IS_ARG0 = 8,  /* the result must be arg[0] (a fixed mapping) */
	PROG_STORE = 16,   /* put the result into `slot` */
	PROG_VITAL = 32,   /* a failure ends the process, which nobody else might do */
};

/* How an argument is meant: two bits per argument in prog_op.kinds. */
enum prog_arg_kind {
	ARG_IMM,  /* the number itself */
	ARG_AREA, /* an offset in the area: the address is passed */
	ARG_SLOT, /* the content of that slot of this program */
	ARG_WORD, /* the 32-bit number at that offset in the area, as it is then */
};

struct prog_op {
	uint16_t nr;    /* system call number */
	uint16_t kinds; /* enum prog_arg_kind of argument i at bits 2i */
	uint8_t verb, flags;
	uint16_t slot;
	uint32_t where; /* what the host calls this operation in messages */
	int32_t expect;
	int64_t arg[6];
};

struct prog_head {
	uint32_t task;     /* index, for the report */
	uint32_t n_op;
	uint32_t op;       /* offset of the operations */
	uint32_t slot;     /* offset of the slots, int64_t each */
	uint32_t on_error; /* operation to go on at after a failure was reported; >= n_op: park */
	uint32_t reserved;
};

/* One page, shared by everybody: the first failure wins. `error` is set last and is never 0 then.
 */
struct prog_report {
	uint32_t claim, task, op, where;
	int32_t error; /* positive errno */
	uint32_t reserved[3];
	uint32_t word[PROG_WORDS];
	uint32_t goal[PROG_WORDS]; /* nobody waits for less: those before it wake nobody */
};

_Static_assert(sizeof(struct prog_op) == 64, "one operation is one cache line");
