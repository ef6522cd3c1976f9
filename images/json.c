/*
 * `show`: every image printed by one walk over protobuf descriptors, so that no kind needs printing
 * code. Two notations share the walk: JSON for programs, indented text for people. Fields that are
 * absent are left out, so presence shows. Strings that are not UTF-8 (a path may hold any bytes)
 * print each offending byte as \u00XX. The nesting of the walk is that of a message, which the
 * reader bounds.
 */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"

struct printer {
	FILE *out;
	bool json;
	int depth; /* of indentation, text only */
};

static void print_message(struct printer *p, const ProtobufCMessage *m);

static bool continues(const unsigned char *s, size_t len, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (i >= len || (s[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/* Bytes of the UTF-8 character at s, 0 when there is none: strict, no surrogates, shortest form. */
static size_t character(const unsigned char *s, size_t len)
{
	if (*s < 0x80)
		return 1;
	if (*s >= 0xc2 && *s < 0xe0)
		return continues(s, len, 2) ? 2 : 0;
	if (*s >= 0xe0 && *s < 0xf0 && continues(s, len, 3))
		return (*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] >= 0xa0) ? 0 : 3;
	if (*s >= 0xf0 && *s < 0xf5 && continues(s, len, 4))
		return (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] >= 0x90) ? 0 : 4;
	return 0;
}

static void print_string(struct printer *p, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len = strlen(text), n;

	(void)putc('"', p->out); /* the state of the stream is looked at once, at the end */
	for (; len; s += n, len -= n) {
		n = character(s, len);
		if (*s == '"' || *s == '\\')
			(void)fprintf(p->out, "\\%c", *s);
		else if (n && *s >= 0x20 && *s != 0x7f)
			(void)fwrite(s, 1, n, p->out);
		else
			(void)fprintf(p->out, "\\u%04x", *s);
		n = n ? n : 1;
	}
	(void)putc('"', p->out);
}

static void print_bytes(struct printer *p, const ProtobufCBinaryData *b)
{
	(void)putc('"', p->out);
	for (size_t i = 0; i < b->len; i++)
		(void)fprintf(p->out, "%02x", b->data[i]);
	(void)putc('"', p->out);
}

/* JSON has no word for these. */
static void print_real(struct printer *p, double v, int digits)
{
	if (isfinite(v))
		(void)fprintf(p->out, "%.*g", digits, v);
	else
		(void)fputs(isnan(v) ? "\"NaN\""
			    : v < 0  ? "\"-Infinity\""
				     : "\"Infinity\"",
			    p->out);
}

static void print_enum(struct printer *p, const ProtobufCEnumDescriptor *d, int v)
{
	const ProtobufCEnumValue *name = protobuf_c_enum_descriptor_get_value(d, v);

	if (!name)
		(void)fprintf(p->out, "%d", v);
	else if (p->json)
		print_string(p, name->name);
	else
		(void)fputs(name->name, p->out);
}

static void print_scalar(struct printer *p, const ProtobufCFieldDescriptor *f, const void *v)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		(void)fprintf(p->out, "%" PRId32, *(const int32_t *)v);
		return;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		(void)fprintf(p->out, "%" PRId64, *(const int64_t *)v);
		return;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		(void)fprintf(p->out, "%" PRIu32, *(const uint32_t *)v);
		return;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		(void)fprintf(p->out, "%" PRIu64, *(const uint64_t *)v);
		return;
	case PROTOBUF_C_TYPE_FLOAT: print_real(p, (double)*(const float *)v, 9); return;
	case PROTOBUF_C_TYPE_DOUBLE: print_real(p, *(const double *)v, 17); return;
	case PROTOBUF_C_TYPE_BOOL:
		(void)fputs(*(const protobuf_c_boolean *)v ? "true" : "false", p->out);
		return;
	case PROTOBUF_C_TYPE_ENUM: print_enum(p, f->descriptor, *(const int *)v); return;
	case PROTOBUF_C_TYPE_STRING: print_string(p, *(const char *const *)v); return;
	case PROTOBUF_C_TYPE_BYTES: print_bytes(p, v); return;
	case PROTOBUF_C_TYPE_MESSAGE: print_message(p, *(const ProtobufCMessage *const *)v); return;
	}
}

static size_t element_bytes(ProtobufCType t)
{
	switch (t) {
	case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE: return sizeof(uint64_t);
	default: return sizeof(uint32_t);
	}
}

static void print_name(struct printer *p, const ProtobufCFieldDescriptor *f)
{
	if (p->json)
		(void)fprintf(p->out, "\"%s\":", f->name);
	else
		(void)fprintf(p->out, "\n%*s%s%s", 2 * p->depth, "", f->name,
			      f->type == PROTOBUF_C_TYPE_MESSAGE ? "" : " ");
}

/* JSON: "name":[a,b]. Text: `name a b`, and one block per message. */
static void print_list(struct printer *p, const ProtobufCFieldDescriptor *f, const char *v,
		       size_t n)
{
	if (p->json || f->type != PROTOBUF_C_TYPE_MESSAGE)
		print_name(p, f);
	if (p->json)
		(void)putc('[', p->out);
	for (size_t i = 0; i < n; i++, v += element_bytes(f->type)) {
		if (!p->json && f->type == PROTOBUF_C_TYPE_MESSAGE)
			print_name(p, f);
		else if (i)
			(void)putc(p->json ? ',' : ' ', p->out);
		print_scalar(p, f, v);
	}
	if (p->json)
		(void)putc(']', p->out);
}

static bool is_present(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const char *base = (const char *)m;
	const void *v = base + f->offset;

	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)(base + f->quantifier_offset) == f->id;
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)(base + f->quantifier_offset) != 0;
	if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE)
		return *(const void *const *)v && *(const void *const *)v != f->default_value;
	return f->label != PROTOBUF_C_LABEL_OPTIONAL ||
	       *(const protobuf_c_boolean *)(base + f->quantifier_offset);
}

static void print_message(struct printer *p, const ProtobufCMessage *m)
{
	const char *base = (const char *)m;
	bool first = true;

	if (p->json)
		(void)putc('{', p->out);
	p->depth++;
	for (unsigned int i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];

		if (!is_present(m, f))
			continue;
		if (p->json && !first)
			(void)putc(',', p->out);
		first = false;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			print_list(p, f, *(const char *const *)(base + f->offset),
				   *(const size_t *)(base + f->quantifier_offset));
			continue;
		}
		print_name(p, f);
		print_scalar(p, f, base + f->offset);
	}
	p->depth--;
	if (p->json)
		(void)putc('}', p->out);
}

static void print_record(struct printer *p, uint32_t n, uint32_t id, const ProtobufCMessage *m)
{
	if (p->json)
		(void)fprintf(p->out, "%s{\"id\":%" PRIu32 ",\"value\":", n ? "," : "", id);
	else
		(void)fprintf(p->out, "%" PRIu32, id);
	print_message(p, m);
	(void)putc(p->json ? '}' : '\n', p->out);
}

static void print_begin(struct printer *p, const char *stem, const ProtobufCMessageDescriptor *d)
{
	(void)fprintf(p->out,
		      p->json ? "{\"image\":\"%s\",\"type\":\"%s\",\"records\":[" : "%s (%s)\n",
		      stem, d->name);
}

static int print_end(struct printer *p, const char *stem)
{
	if (p->json)
		(void)fputs("]}\n", p->out);
	return ferror(p->out) ? fail(-EIO, "print image '%s'", stem) : 0;
}

static int print_image(struct printer *p, struct image_set *s, const char *stem,
		       const ProtobufCMessageDescriptor *d)
{
	ProtobufCMessage *m;
	struct image *i;
	uint32_t id;
	int r = image_open(s, stem, &i);

	if (r)
		return r;
	print_begin(p, stem, d);
	for (uint32_t n = 0; (r = image_next(i, d, &id, &m)) > 0; n++)
		print_record(p, n, id, m);
	return r ?: print_end(p, stem);
}

int image_print_single(const char *stem, const ProtobufCMessage *m, bool json, FILE *out)
{
	struct printer p = {.out = out, .json = json, .depth = json ? 0 : 1};

	print_begin(&p, stem, m->descriptor);
	print_record(&p, 0, 0, m);
	return print_end(&p, stem);
}

int image_print_json(struct image_set *s, const char *stem, const ProtobufCMessageDescriptor *d,
		     FILE *out)
{
	struct printer p = {.out = out, .json = true};

	return print_image(&p, s, stem, d);
}

int image_print_text(struct image_set *s, const char *stem, const ProtobufCMessageDescriptor *d,
		     FILE *out)
{
	struct printer p = {.out = out, .depth = 1};

	return print_image(&p, s, stem, d);
}
