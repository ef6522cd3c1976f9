/*
 * A program as text, one operation a line, like strace prints calls. Names of system calls come
 * from the kernel's header at build time. Data is shown as its offset and, where short, its bytes.
 */
#include <inttypes.h>

#include "base/err.h"
#include "core/prog.h"

static const char *const syscall_name[] = {
#include "syscall-names.inc"
};

static const char *const verb_name[VERB_COUNT] = {
	[VERB_CALL] = "call", [VERB_FULL] = "full",   [VERB_COPY] = "copy", [VERB_CHECK] = "check",
	[VERB_LOOP] = "loop", [VERB_START] = "start", [VERB_PASS] = "pass", [VERB_WAIT] = "wait",
	[VERB_PARK] = "park", [VERB_LEAVE] = "leave", [VERB_LOAD] = "load",
};

static void print_arg(const struct prog_op *op, int i, FILE *out)
{
	unsigned int kind = (op->kinds >> (2 * i)) & 3;
	int64_t v = op->arg[i];

	if (kind == ARG_AREA)
		(void)fprintf(out, "data+%#" PRIx64, (uint64_t)v);
	else if (kind == ARG_WORD)
		(void)fprintf(out, "*data+%#" PRIx64, (uint64_t)v);
	else if (kind == ARG_SLOT)
		(void)fprintf(out, "$%" PRId64, v);
	else if (v > -4096 && v < 65536)
		(void)fprintf(out, "%" PRId64, v);
	else
		(void)fprintf(out, "%#" PRIx64, (uint64_t)v);
}

static int last_arg(const struct prog_op *op)
{
	int n = 6;

	while (n && !op->arg[n - 1] && !((op->kinds >> (2 * (n - 1))) & 3))
		n--;
	return n;
}

static void print_result(const struct prog_op *op, FILE *out)
{
	if (op->flags & PROG_EQUALS)
		(void)fprintf(out, " = %d", op->expect);
	if (op->flags & PROG_IS_ARG0)
		(void)fputs(" = same address", out);
	if (op->flags & PROG_ANY)
		(void)fputs(" = any", out);
	if (op->flags & PROG_ACCEPT)
		for (uint32_t set = (uint32_t)op->expect; set; set >>= 8)
			(void)fprintf(out, " or errno %u", set & 0xff);
	if (op->flags & PROG_STORE)
		(void)fprintf(out, " -> $%u", op->slot);
}

static void print_op(const struct prog_op *op, FILE *out)
{
	int calls = op->verb == VERB_CALL || op->verb == VERB_FULL, n = last_arg(op);

	(void)fputs(op->verb < VERB_COUNT ? verb_name[op->verb] : "?", out);
	if (calls && op->nr < array_size(syscall_name) && syscall_name[op->nr])
		(void)fprintf(out, " %s", syscall_name[op->nr]);
	else if (calls)
		(void)fprintf(out, " syscall_%u", op->nr);
	(void)fputc('(', out);
	for (int i = 0; i < n; i++) {
		(void)fputs(i ? ", " : "", out);
		print_arg(op, i, out);
	}
	(void)fputc(')', out);
	print_result(op, out);
}

void prog_print(const struct prog *p, FILE *out)
{
	uint32_t where = UINT32_MAX;

	for (size_t i = 0; i < p->op.n; i++) {
		const struct prog_op *op = &p->op.v[i];

		if (op->where != where)
			(void)fprintf(out, "  # %s\n", prog_label(p, op->where));
		where = op->where;
		(void)fprintf(out, "  %4zu ", i);
		print_op(op, out);
		(void)fputc('\n', out);
	}
}
