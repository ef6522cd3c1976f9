/*
 * The parser of command lines. Names are matched whole first, then by unique beginning; a beginning
 * that several rows share is ambiguous unless they fill the same field in the same way. A switch
 * has a --no- form. Values of numbers are checked here, meanings by the command. Nothing is
 * printed: the caller knows under which name it runs and how it speaks.
 */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/str.h"

struct cursor {
	struct option_parse *p;
	const char *const *argv;
	int argc, at;
};

__attribute__((format(printf, 2, 3))) static int wrong(struct option_parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(p->error, sizeof(p->error), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static bool takes_value(const struct option_row *o)
{
	switch (o->kind) {
	case OPTION_FLAG:
	case OPTION_SWITCH:
	case OPTION_MAYBE:
	case OPTION_LEVEL:
	case OPTION_REFUSED: return false;
	default: return true;
	}
}

static bool has_no_form(const struct option_row *o)
{
	return o->kind == OPTION_SWITCH || o->kind == OPTION_REFUSED;
}

static bool same_effect(const struct option_row *a, const struct option_row *b)
{
	return a->kind == b->kind && a->offset == b->offset && a->kind < OPTION_REFUSED;
}

/* NULL with p->error empty: there is none; with a text: ambiguous. */
static const struct option_row *find(struct option_parse *p, struct span name, bool no_form)
{
	const struct option_row *found = NULL;

	for (const struct option_row *o = p->table; o->name; o++) {
		if (!(o->commands & p->commands) || (no_form && !has_no_form(o)))
			continue;
		if (span_eq(name, o->name))
			return o;
	}
	for (const struct option_row *o = p->table; o->name; o++) {
		if (!(o->commands & p->commands) || (no_form && !has_no_form(o)) ||
		    strncmp(o->name, name.p, name.len) != 0)
			continue;
		if (found && !same_effect(found, o)) {
			(void)wrong(p, "option '--%s%.*s' may be --%s%s or --%s%s",
				    no_form ? "no-" : "", (int)name.len, name.p,
				    no_form ? "no-" : "", found->name, no_form ? "no-" : "",
				    o->name);
			return NULL;
		}
		found = found ? found : o;
	}
	return found;
}

static const struct option_row *find_letter(const struct option_parse *p, char letter)
{
	for (const struct option_row *o = p->table; o->name; o++)
		if (o->letter == letter && (o->commands & p->commands))
			return o;
	return NULL;
}

static int set_number(struct option_parse *p, const struct option_row *o, const char *text)
{
	void *field = (char *)p->settings + o->offset;
	uint32_t n;

	if (span_u32(span_of(text), 10, &n) || n > INT32_MAX)
		return wrong(p, "option '--%s': '%s' is no number", o->name, text);
	if (o->kind == OPTION_PID && !n)
		return wrong(p, "option '--%s': there is no process 0", o->name);
	if (o->kind == OPTION_SECONDS)
		*(unsigned int *)field = n;
	else
		*(int *)field = (int)n;
	return 0;
}

static int set_bytes(struct option_parse *p, const struct option_row *o, const char *text)
{
	static const char units[] = "kKmMgG";
	struct span s = span_of(text);
	const char *unit = s.len ? strchr(units, s.p[s.len - 1]) : NULL;
	unsigned int shift = unit ? (unsigned int)(1 + (unit - units) / 2) * 10 : 0;
	uint64_t n;

	s.len -= unit ? 1 : 0;
	if (span_u64(s, 10, &n) || n > UINT64_MAX >> shift)
		return wrong(p, "option '--%s': '%s' is no size (a number with K, M or G)", o->name,
			     text);
	*(uint64_t *)((char *)p->settings + o->offset) = n << shift;
	return 0;
}

static int set_choice(struct option_parse *p, const struct option_row *o, const char *text)
{
	struct span rest = span_of(o->value), one;

	for (unsigned int n = 0; rest.len; n++) {
		if (!span_cut(&rest, '|', &one)) {
			one = rest;
			rest.len = 0;
		}
		if (!span_eq(one, text))
			continue;
		*(unsigned int *)((char *)p->settings + o->offset) = n;
		return 0;
	}
	return wrong(p, "option '--%s': '%s' is none of %s", o->name, text, o->value);
}

static int set_level(struct option_parse *p, const struct option_row *o, const char *text)
{
	unsigned int *level = (void *)((char *)p->settings + o->offset);
	size_t more = text ? strspn(text, "v") : 0;
	uint32_t n;

	if (!text || !text[more])
		*level += 1 + (unsigned int)more;
	else if (span_u32(span_of(text), 10, &n))
		return wrong(p, "option '-%c': '%s' is no level", o->letter, text);
	else
		*level = n;
	return 0;
}

static int set_refused(struct option_parse *p, const struct option_row *o, bool on)
{
	option_refusals *all = (void *)((char *)p->settings + o->offset);
	size_t kept = 0;

	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->v[i]->name, o->name) != 0)
			all->v[kept++] = all->v[i];
	all->n = kept;
	if (on)
		*vec_push(p->arena, all) = o;
	return 0;
}

static int set(struct option_parse *p, const struct option_row *o, const char *text)
{
	void *field = (char *)p->settings + o->offset;

	switch (o->kind) {
	case OPTION_FLAG:
	case OPTION_SWITCH: *(bool *)field = true; return 0;
	case OPTION_TEXT:
	case OPTION_MAYBE: *(const char **)field = text ? text : ""; return 0;
	case OPTION_LIST: *vec_push(p->arena, (option_list *)field) = text; return 0;
	case OPTION_SECONDS:
	case OPTION_PID:
	case OPTION_FD: return set_number(p, o, text);
	case OPTION_BYTES: return set_bytes(p, o, text);
	case OPTION_LEVEL: return set_level(p, o, text);
	case OPTION_CHOICE: return set_choice(p, o, text);
	case OPTION_REFUSED:
	case OPTION_REFUSED_VALUE: return set_refused(p, o, true);
	}
	return 0;
}

/* The value of an option that needs one and came without: the next argument. */
static int set_next(struct cursor *c, const struct option_row *o)
{
	if (!takes_value(o))
		return set(c->p, o, NULL);
	if (c->at >= c->argc)
		return wrong(c->p, "option '--%s' needs a value (%s)", o->name, o->value);
	return set(c->p, o, c->argv[c->at++]);
}

static int unset(struct option_parse *p, const struct option_row *o, bool has_value)
{
	if (has_value)
		return wrong(p, "option '--no-%s' takes no value", o->name);
	if (o->kind == OPTION_REFUSED)
		return set_refused(p, o, false);
	*(bool *)((char *)p->settings + o->offset) = false;
	return 0;
}

static bool elsewhere(const struct option_parse *p, struct span name)
{
	for (const struct option_row *o = p->table; o->name; o++)
		if (span_eq(name, o->name))
			return true;
	return false;
}

static int parse_long(struct cursor *c, const char *text)
{
	struct option_parse *p = c->p;
	const char *equal = strchrnul(text, '=');
	struct span name = { text, (size_t)(equal - text) };
	struct span positive = { text + 3, name.len > 3 ? name.len - 3 : 0 };
	const struct option_row *o = name.len ? find(p, name, false) : NULL;

	if (!o && !p->error[0] && positive.len && span_starts(name, "no-")) {
		o = find(p, positive, true);
		if (o)
			return unset(p, o, *equal);
	}
	if (p->error[0])
		return -EINVAL;
	if (!o)
		return wrong(p,
			     elsewhere(p, name) ? "option '--%.*s' does not belong to this command"
						: "there is no option '--%.*s'",
			     (int)name.len, text);
	if (!*equal)
		return set_next(c, o);
	if (!takes_value(o) && o->kind != OPTION_MAYBE && o->kind != OPTION_LEVEL)
		return wrong(p, "option '--%s' takes no value", o->name);
	return set(p, o, equal + 1);
}

static int parse_letters(struct cursor *c, const char *text)
{
	int r = 0;

	while (!r && *text) {
		const struct option_row *o = find_letter(c->p, *text);

		if (!o)
			return wrong(c->p, "there is no option '-%c'", *text);
		text++;
		if (!*text)
			return set_next(c, o);
		if (takes_value(o) || o->kind == OPTION_MAYBE || o->kind == OPTION_LEVEL)
			return set(c->p, o, text);
		r = set(c->p, o, NULL);
	}
	return r;
}

int options_parse(struct option_parse *p, int argc, const char *const *argv)
{
	struct cursor c = { p, argv, argc, 0 };
	bool words_only = false;
	int r = 0;

	p->error[0] = 0;
	while (!r && c.at < argc) {
		const char *text = argv[c.at++];

		if (words_only || text[0] != '-' || !text[1])
			*vec_push(p->arena, &p->word) = text;
		else if (text[1] != '-')
			r = parse_letters(&c, text + 1);
		else if (text[2])
			r = parse_long(&c, text + 2);
		else
			words_only = true;
	}
	return r;
}

void options_help(const struct option_row *table, uint32_t commands, FILE *out)
{
	for (const struct option_row *o = table; o->name; o++) {
		const char *open = o->kind == OPTION_MAYBE || o->kind == OPTION_LEVEL ? "[=" : " ";
		char left[64];

		if (!(o->commands & commands) || !o->help || o->kind >= OPTION_REFUSED)
			continue;
		(void)snprintf(left, sizeof(left), "%s%c%s --%s%s%s%s", o->letter ? "-" : "",
			       o->letter ? o->letter : ' ', o->letter ? "," : "  ", o->name,
			       o->value ? open : "", o->value ? o->value : "",
			       *open == '[' ? "]" : "");
		(void)fprintf(out, "  %-29s %s\n", left, o->help);
	}
}
