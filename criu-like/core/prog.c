/*
 * The builder of programs. Operations, labels and data grow separately and are laid out behind each
 * other when all sizes are known: head, operations, slots, data. Until then references to data are
 * offsets from the start of the data.
 */
#include "core/prog.h"

#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "base/fault.h"

static uint32_t align16(uint32_t n)
{
	return (n + 15) & ~15u;
}

void prog_init(struct prog *p, struct arena *a, uint32_t task)
{
	*p = (struct prog){ .arena = a, .task = task, .on_error = UINT32_MAX };
	prog_where(p, "start");
}

/* A name that no operation bears makes room for the next one. */
void prog_where_text(struct prog *p, const char *text)
{
	bool used = p->label.n && p->op.n && p->op.v[p->op.n - 1].where == p->where;

	if (used || !p->label.n)
		*vec_push(p->arena, &p->label) = text;
	else
		p->label.v[p->label.n - 1] = text;
	p->where = (uint32_t)p->label.n - 1;
}

void prog_where(struct prog *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	prog_where_text(p, arena_vprintf(p->arena, fmt, ap));
	va_end(ap);
}

void prog_expect(struct prog *p, const struct prog *other)
{
	size_t op = other->op.n + 8, label = other->label.n + 8;
	const char **labels = arena_array(p->arena, const char *, label);

	if (p->op.n || p->data_len || p->label.n > label)
		return;
	memcpy(labels, p->label.v, p->label.n * sizeof(*labels));
	p->label.v = labels;
	p->label.cap = label;
	p->op.v = arena_array(p->arena, struct prog_op, op);
	p->op.cap = op;
	p->data_cap = other->data_len + 256;
	p->data = arena_alloc(p->arena, p->data_cap);
}

struct prog_arg prog_room(struct prog *p, size_t len)
{
	uint32_t at = p->data_len;

	bug_on(len > UINT32_MAX / 4 || at > UINT32_MAX / 2,
	       "a program's data outgrew 32-bit offsets");
	if (at + align16((uint32_t)len) > p->data_cap) {
		uint32_t cap = (at + align16((uint32_t)len)) * 2 + 256;

		p->data = arena_grow(p->arena, p->data, p->data_len, cap);
		p->data_cap = cap;
	}
	p->data_len = at + align16((uint32_t)len);
	return (struct prog_arg){ at, ARG_AREA };
}

struct prog_arg prog_in(struct prog *p, const void *bytes, size_t len)
{
	struct prog_arg a = prog_room(p, len);

	if (len)
		memcpy(p->data + a.value, bytes, len);
	return a;
}

struct prog_arg prog_out(struct prog *p, void *host, size_t len)
{
	struct prog_arg a = prog_room(p, len);

	*vec_push(p->arena, &p->out) =
		(struct prog_copy_back){ (uint32_t)a.value, (uint32_t)len, host };
	return a;
}

void prog_point(struct prog *p, struct prog_arg in, uint32_t field, struct prog_arg target,
		uint32_t add)
{
	*vec_push(p->arena, &p->patch) =
		(struct prog_patch){ (uint32_t)in.value + field, (uint32_t)target.value + add };
}

struct prog_arg prog_inside(struct prog_arg data, uint32_t add)
{
	data.value += add;
	return data;
}

struct prog_arg prog_word(struct prog_arg data)
{
	data.kind = ARG_WORD;
	return data;
}

struct prog_op *prog_append(struct prog *p, enum prog_verb verb, long nr,
			    const struct prog_arg arg[6])
{
	struct prog_op *op = vec_push(p->arena, &p->op);

	op->verb = (uint8_t)verb;
	op->nr = (uint16_t)nr;
	op->where = p->where;
	for (int i = 0; i < 6; i++) {
		op->arg[i] = arg[i].value;
		op->kinds |= (uint16_t)(arg[i].kind << (2 * i));
	}
	return op;
}

struct prog_op *prog_any(struct prog_op *op)
{
	op->flags |= PROG_ANY;
	return op;
}

struct prog_op *prog_accept(struct prog_op *op, int error)
{
	op->flags |= PROG_ACCEPT;
	op->expect = (int32_t)((uint32_t)op->expect << 8 | (uint32_t)error);
	return op;
}

struct prog_op *prog_equals(struct prog_op *op, int result)
{
	op->flags |= PROG_EQUALS;
	op->expect = result;
	return op;
}

struct prog_op *prog_is_arg0(struct prog_op *op)
{
	op->flags |= PROG_IS_ARG0;
	return op;
}

struct prog_op *prog_vital(struct prog_op *op)
{
	op->flags |= PROG_VITAL;
	return op;
}

struct prog_arg prog_keep(struct prog *p)
{
	struct prog_op *op = &p->op.v[p->op.n - 1];

	op->flags |= PROG_STORE;
	op->slot = (uint16_t)p->n_slot;
	return (struct prog_arg){ p->n_slot++, ARG_SLOT };
}

void prog_result(struct prog *p, int64_t *host)
{
	struct prog_arg kept = prog_keep(p);

	*vec_push(p->arena, &p->result) = (struct prog_copy_slot){ (uint32_t)kept.value, host };
}

static struct prog_op *append3(struct prog *p, enum prog_verb verb, struct prog_arg a,
			       struct prog_arg b, struct prog_arg c)
{
	return prog_append(p, verb, 0, (const struct prog_arg[6]){ a, b, c });
}

struct prog_arg prog_load(struct prog *p, struct prog_arg data)
{
	append3(p, VERB_LOAD, data, prog_imm(0), prog_imm(0))->slot = (uint16_t)p->n_slot;
	return (struct prog_arg){ p->n_slot++, ARG_SLOT };
}

void prog_copy(struct prog *p, struct prog_arg to, struct prog_arg from, size_t len)
{
	append3(p, VERB_COPY, to, from, prog_imm((int64_t)len));
}

void prog_check(struct prog *p, struct prog_arg value, int64_t wanted, int error)
{
	append3(p, VERB_CHECK, value, prog_imm(wanted), prog_imm(0))->expect = error;
}

void prog_loop(struct prog *p, uint32_t n_op, struct prog_arg value, int64_t wanted, uint32_t max)
{
	struct prog_op *op = append3(p, VERB_LOOP, value, prog_imm(wanted), prog_imm(n_op));

	op->arg[3] = max;
	op->slot = (uint16_t)p->n_slot++;
}

void prog_start(struct prog *p, struct prog_arg clone_args, size_t size, struct prog *child,
		int tid)
{
	struct prog_op *op;

	*vec_push(p->arena, &p->started) = child;
	op = append3(p, VERB_START, clone_args, prog_imm((int64_t)size),
		     prog_imm((int64_t)p->started.n - 1));
	op->arg[3] = tid;
}

void prog_pass(struct prog *p, uint32_t word)
{
	append3(p, VERB_PASS, prog_imm(word), prog_imm(0), prog_imm(0));
}

void prog_wait(struct prog *p, uint32_t word, uint32_t target)
{
	append3(p, VERB_WAIT, prog_imm(word), prog_imm(target), prog_imm(0));
}

void prog_park(struct prog *p)
{
	append3(p, VERB_PARK, prog_imm(0), prog_imm(0), prog_imm(0));
}

struct prog_mark prog_mark(const struct prog *p)
{
	return (struct prog_mark){ p->op.n,	   p->patch.n,  p->out.n, p->result.n,
				   p->started.n, p->data_len, p->n_slot };
}

/* An operation of the other program, with what it refers to moved. */
static void repeat_op(struct prog *p, const struct prog *of, const struct prog_op *from,
		      int64_t data, int64_t slot)
{
	struct prog_op *op;

	if (p->label.v[p->where] != of->label.v[from->where])
		prog_where_text(p, of->label.v[from->where]);
	op = vec_push(p->arena, &p->op);
	*op = *from;
	op->where = p->where;
	if (op->flags & PROG_STORE || op->verb == VERB_LOAD || op->verb == VERB_LOOP)
		op->slot = (uint16_t)(op->slot + slot);
	for (int i = 0; i < 6; i++) {
		unsigned int kind = (op->kinds >> (2 * i)) & 3;

		if (kind == ARG_AREA || kind == ARG_WORD)
			op->arg[i] += data;
		else if (kind == ARG_SLOT)
			op->arg[i] += slot;
	}
}

bool prog_repeat(struct prog *p, const struct prog *of, struct prog_mark from, struct prog_mark to)
{
	int64_t slot = (int64_t)p->n_slot - from.slot, data;

	if (from.patch != to.patch || from.out != to.out || from.result != to.result ||
	    from.started != to.started)
		return false;
	data = prog_in(p, of->data + from.data, to.data - from.data).value - from.data;
	for (size_t i = from.op; i < to.op; i++)
		repeat_op(p, of, &of->op.v[i], data, slot);
	p->n_slot += to.slot - from.slot;
	return true;
}

void prog_on_error_here(struct prog *p)
{
	p->on_error = (uint32_t)p->op.n;
}

static uint32_t op_offset(const struct prog *p)
{
	return (p->at + (uint32_t)sizeof(struct prog_head) + 63) & ~63u;
}

static uint32_t slot_offset(const struct prog *p)
{
	return op_offset(p) + (uint32_t)(p->op.n * sizeof(struct prog_op));
}

static uint32_t data_offset(const struct prog *p)
{
	return align16(slot_offset(p) + p->n_slot * (uint32_t)sizeof(int64_t));
}

uint32_t prog_size(const struct prog *p)
{
	return 128 + (uint32_t)(p->op.n * sizeof(struct prog_op)) + p->n_slot * 8 + 16 +
	       p->data_len;
}

void prog_place(struct prog *p, uint32_t at)
{
	p->at = at;
}

static void emit_op(const struct prog *p, const struct prog_op *from, struct prog_op *to)
{
	*to = *from;
	for (int i = 0; i < 6; i++) {
		unsigned int kind = (to->kinds >> (2 * i)) & 3;

		if (kind == ARG_AREA || kind == ARG_WORD)
			to->arg[i] += data_offset(p);
	}
	if (to->verb == VERB_START)
		to->arg[2] = p->started.v[to->arg[2]]->at;
}

/* An operation that is to fail becomes a check that cannot succeed, with just that errno. */
static void emit_fault(const struct prog *p, struct prog_op *to, uint32_t i)
{
	/* The way home at its end is what faults are survived by. */
	int error = i < p->on_error ? fault_operation((int)p->task, i) : 0;

	if (error < 0)
		*to = (struct prog_op){ .verb = VERB_CALL,
					.nr = SYS_exit_group,
					.where = to->where };
	else if (error)
		*to = (struct prog_op){ .verb = VERB_CHECK, .where = to->where, .expect = error,
					.arg = { 0, 1 } };
}

void prog_emit(const struct prog *p, char *area, uint64_t base)
{
	struct prog_op *ops = (struct prog_op *)(area + op_offset(p));

	*(struct prog_head *)(area + p->at) = (struct prog_head){
		.task = p->task,
		.n_op = (uint32_t)p->op.n,
		.op = op_offset(p),
		.slot = slot_offset(p),
		.on_error = p->on_error,
	};
	for (size_t i = 0; i < p->op.n; i++) {
		emit_op(p, &p->op.v[i], &ops[i]);
		emit_fault(p, &ops[i], (uint32_t)i);
	}
	memset(area + slot_offset(p), 0, p->n_slot * sizeof(int64_t));
	if (p->data_len)
		memcpy(area + data_offset(p), p->data, p->data_len);
	vec_foreach(t, &p->patch) {
		uint64_t address = base + data_offset(p) + t->target;

		memcpy(area + data_offset(p) + t->at, &address, sizeof(address));
	}
}

void prog_fetch(const struct prog *p, const char *area)
{
	vec_foreach(o, &p->out)
		memcpy(o->host, area + data_offset(p) + o->at, o->len_bytes);
	vec_foreach(s, &p->result)
		memcpy(s->host, area + slot_offset(p) + s->slot * sizeof(int64_t),
		       sizeof(*s->host));
}

const char *prog_label(const struct prog *p, uint32_t where)
{
	return where < p->label.n ? p->label.v[where] : "unknown operation";
}
