/*
 * Reading and planning of a restore, from image sets that somebody changed: nothing is made, no
 * process is forked. An input is the records of all images, without frames and checksums (they are
 * made here, test/fuzz/image.c plays with them); a mutation changes, doubles, moves or drops
 * fields and records, so that nearly every input passes the frame and reaches the readers. Pages
 * are zeros. The seeds are dumps of small trees; FUZZ_FROM=DIR FUZZ_SEED=FILE makes one,
 * FUZZ_LOG=1 shows what the readers say.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/map.h"
#include "images/hash.h"
#include "images/record.h"
#include "images/set.h"
#include "commit.pb-c.h"
#include "head.pb-c.h"
#include "pagemap.pb-c.h"
#include "restore.h"
#include "show.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned int seed);

/* An input: {stem, length, records of that length}, over and over. */
enum { STEM_BYTES = 24, PART_BYTES = STEM_BYTES + 4, MAX_PARTS = 128, MAX_PAGES = 1 << 16 };

struct part {
	char stem[STEM_BYTES + 1];
	struct span records, image;
};
struct parts {
	struct backend backend;
	struct part v[MAX_PARTS];
	size_t n, n_copy;
	void *copy[MAX_PARTS + 1];
	struct span commit;
	uint64_t n_pages; /* of the only shard */
};

static void cut_parts(struct span in, struct parts *p)
{
	uint32_t len;

	for (p->n = 0; in.len >= PART_BYTES && p->n < MAX_PARTS; p->n++) {
		struct part *part = &p->v[p->n];

		*part = (struct part){ 0 };
		memcpy(part->stem, in.p, STEM_BYTES);
		memcpy(&len, in.p + STEM_BYTES, sizeof(len));
		in = (struct span){ in.p + PART_BYTES, in.len - PART_BYTES };
		len = len < in.len ? len : (uint32_t)in.len;
		part->records = (struct span){ in.p, len };
		in = (struct span){ in.p + len, in.len - len };
	}
}

static size_t put_part(uint8_t *to, const char *stem, struct span records)
{
	uint32_t len = (uint32_t)records.len;

	memset(to, 0, STEM_BYTES);
	memcpy(to, stem, strlen(stem));
	memcpy(to + STEM_BYTES, &len, sizeof(len));
	if (records.len)
		memcpy(to + PART_BYTES, records.p, records.len);
	return PART_BYTES + records.len;
}

/* --- the back end in memory --- */

static struct parts *parts_of(struct backend *b)
{
	return container_of(b, struct parts, backend);
}

static const struct span *file_of(struct backend *b, const char *name)
{
	struct parts *p = parts_of(b);
	size_t len = strlen(name) - strlen(IMAGE_SUFFIX);

	if (!strcmp(name, COMMIT_FILE))
		return &p->commit;
	for (size_t i = 0; i < p->n; i++)
		if (strlen(p->v[i].stem) == len && !memcmp(p->v[i].stem, name, len))
			return &p->v[i].image;
	return NULL;
}

static int memory_list(struct backend *b, backend_names *ret)
{
	*ret = (backend_names){ 0 };
	*vec_push(b->arena, ret) = COMMIT_FILE;
	return 0;
}

static int memory_size(struct backend *b, const char *name, uint64_t *ret)
{
	const struct span *s = file_of(b, name);

	if (!strcmp(name, "pages-0" IMAGE_SUFFIX))
		return *ret = parts_of(b)->n_pages * 4096, 0;
	if (!s)
		return -ENOENT;
	*ret = s->len;
	return 0;
}

/* Exactly as long as the file, for the address sanitizer. */
static int memory_load(struct backend *b, const char *name, uint64_t size, struct span *ret)
{
	struct parts *p = parts_of(b);
	const struct span *s = file_of(b, name);
	char *copy = malloc(size ? size : 1);

	bug_on(!s || s->len != size || p->n_copy == array_size(p->copy), "files are loaded once");
	memcpy(copy, s->p, size);
	p->copy[p->n_copy++] = copy;
	*ret = (struct span){ copy, size };
	return 0;
}

static int memory_open(struct backend *b, const char *name, uint64_t size, int *ret_fd)
{
	_close_ int fd = memfd_create(name, MFD_CLOEXEC);

	bug_on(fd < 0 || ftruncate(fd, (off_t)size), "the shard cannot be made");
	(void)b;
	*ret_fd = take_fd(&fd);
	return 0;
}

static void memory_close(struct backend *b)
{
	(void)b;
}

static const struct backend_ops memory_ops = {
	.list = memory_list,
	.size = memory_size,
	.load = memory_load,
	.open = memory_open,
	.close = memory_close,
};

/* Header and trailer around records. */
static struct span wrap(struct arena *a, const char *stem, struct span records)
{
	size_t size = FORMAT_HEADER_BYTES + records.len + FORMAT_TRAILER_BYTES;
	unsigned char *p = arena_alloc(a, size), *trailer = p + size - FORMAT_TRAILER_BYTES;
	uint32_t count = 0, id;
	struct span rest = records, message;

	format_header(stem, p);
	if (records.len)
		memcpy(p + FORMAT_HEADER_BYTES, records.p, records.len);
	while (format_next(&rest, &id, &message))
		count++;
	format_trailer_count(count, trailer);
	format_trailer_hash(XXH3_64bits(p, size - 8), trailer);
	return (struct span){ (const char *)p, size };
}

/* How long the shard must be for its extents, which are the only pages that are checked. */
static void count_pages(struct arena *a, struct parts *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct span rest = p->v[i].records, message;
		uint32_t id;

		if (show_descriptor(p->v[i].stem) != &pagemap__descriptor)
			continue;
		while (format_next(&rest, &id, &message)) {
			ProtobufCMessage *m;
			struct wire_place at = { "pages", 0 };
			const Pagemap *g;

			if (wire_unpack(a, &at, &pagemap__descriptor, message, &m))
				continue;
			g = (const Pagemap *)m;
			for (size_t k = 0; k < g->n_extent_pages; k++)
				p->n_pages += g->extent_pages[k] & (MAX_PAGES / 16 - 1);
		}
	}
	if (p->n_pages > MAX_PAGES)
		p->n_pages = MAX_PAGES;
}

static void make_commit(struct arena *a, struct parts *p)
{
	CommitFile *file = arena_array(a, CommitFile, p->n + 1);
	Commit commit = COMMIT__INIT;

	commit.file = arena_array(a, CommitFile *, p->n + 1);
	for (size_t i = 0; i <= p->n; i++) {
		CommitFile *f = &file[i];

		commit_file__init(f);
		f->stem = i < p->n ? p->v[i].stem : (char *)"pages-0";
		f->type = i < p->n ? COMMIT_FILE__TYPE__RECORDS : COMMIT_FILE__TYPE__PAGES;
		f->size = i < p->n ? p->v[i].image.len : p->n_pages * 4096;
		f->has_hash = i < p->n;
		f->hash = i < p->n ? XXH3_64bits(p->v[i].image.p, p->v[i].image.len) : 0;
		if (i < p->n || p->n_pages)
			commit.file[commit.n_file++] = f;
	}
	p->commit = record_pack_single(a, COMMIT_STEM, &commit.base);
}

/* Any answer will do. */
static void tell(int r, const struct blockers *b)
{
	if (r == -ENOTSUP)
		(void)blockers_report(b);
	log_info("the plan yields %d", r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const no_external[] = { NULL };
	static const struct inherit_fd no_inherit[] = { { 0 } };
	const struct restore_options opt = { .images_fd = -1,
					     .work_fd = -1,
					     .shell_job = true,
					     .external = no_external,
					     .inherit = no_inherit };
	struct arena a;
	struct parts p = { .backend = { &memory_ops, &a, "memory" } };
	struct blockers blockers;
	struct image_set *s;

	arena_init(&a);
	cut_parts((struct span){ (const char *)data, len }, &p);
	for (size_t i = 0; i < p.n; i++)
		p.v[i].image = wrap(&a, p.v[i].stem, p.v[i].records);
	count_pages(&a, &p);
	make_commit(&a, &p);
	if (!set_open(&a, &p.backend, &s))
		tell(restore_check_set(&opt, s, &a, &blockers), &blockers);
	while (p.n_copy)
		free(p.copy[--p.n_copy]);
	arena_deinit(&a);
	return 0;
}

/* --- mutation: one field of one record --- */

struct dice {
	uint64_t state;
};

static uint64_t roll(struct dice *d, uint64_t n)
{
	d->state = d->state * 6364136223846793005u + 1442695040888963407u;
	return n ? (d->state >> 24) % n : 0;
}

static uint64_t number(struct dice *d, uint64_t old)
{
	static const uint64_t special[] = { 0, 1, 2, 3, 7, 63, 64, 255, 4096, UINT16_MAX,
					    INT32_MAX, 1u << 31, UINT32_MAX, 1ull << 32,
					    1ull << 47, INT64_MAX, 1ull << 63, UINT64_MAX,
					    UINT64_MAX - 4095 };

	switch (roll(d, 6)) {
	case 0: return special[roll(d, array_size(special))];
	case 1: return old + 1;
	case 2: return old - 1;
	case 3: return old ^ 1ull << roll(d, 64);
	case 4: return old + 4096 * (roll(d, 64) - 32);
	default: return roll(d, 8);
	}
}

static size_t element_bytes(ProtobufCType t)
{
	switch (t) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE: return 8;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
	default: return 4;
	}
}

static void change_message(struct arena *a, struct dice *d, ProtobufCMessage *m);

static void change_bytes(struct arena *a, ProtobufCBinaryData *b)
{
	uint8_t *p = arena_alloc(a, b->len + 64);

	if (b->len)
		memcpy(p, b->data, b->len);
	b->data = p;
	b->len = LLVMFuzzerMutate(p, b->len, b->len + 64);
}

static void change_string(struct arena *a, struct dice *d, char **s)
{
	static const char *const word[] = {
		"",   "/",     "..",	 "/..",	   "a",	      "/proc/self/fd/0", "//",
		"/.", "/tmp/", "[vdso]", "[heap]", "/proc/1", "pipe:[1]"
	};
	size_t n = strlen(*s);
	char *p = arena_alloc(a, n + 65);

	if (!roll(d, 2)) {
		*s = (char *)word[roll(d, array_size(word))];
		return;
	}
	memcpy(p, *s, n);
	n = LLVMFuzzerMutate((uint8_t *)p, n, n + 64);
	p[n] = 0;
	*s = p;
}

static void change_element(struct arena *a, struct dice *d, const ProtobufCFieldDescriptor *f,
			   void *at)
{
	uint64_t v = 0;

	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE: change_message(a, d, *(ProtobufCMessage **)at); return;
	case PROTOBUF_C_TYPE_BYTES: change_bytes(a, at); return;
	case PROTOBUF_C_TYPE_STRING: change_string(a, d, at); return;
	case PROTOBUF_C_TYPE_BOOL: *(protobuf_c_boolean *)at ^= 1; return;
	case PROTOBUF_C_TYPE_ENUM: {
		const ProtobufCEnumDescriptor *e = f->descriptor;

		*(int *)at = e->values[roll(d, e->n_values)].value;
		return;
	}
	default:
		memcpy(&v, at, element_bytes(f->type));
		v = number(d, v);
		memcpy(at, &v, element_bytes(f->type));
	}
}

static void change_list(struct arena *a, struct dice *d, const ProtobufCFieldDescriptor *f,
			ProtobufCMessage *m)
{
	size_t *n = (size_t *)((char *)m + f->quantifier_offset), size = element_bytes(f->type);
	char **v = (char **)((char *)m + f->offset);
	char *copy = arena_alloc(a, (*n + 1) * size);
	size_t i = roll(d, *n), k = roll(d, *n);

	if (!*n)
		return;
	memcpy(copy, *v, *n * size);
	*v = copy;
	switch (roll(d, 5)) {
	case 0:
		memmove(copy + i * size, copy + (i + 1) * size, (*n - i - 1) * size);
		(*n)--;
		return;
	case 1:
		memcpy(copy + *n * size, copy + i * size, size);
		(*n)++;
		return;
	case 2: memcpy(copy + i * size, copy + k * size, size); return;
	default: change_element(a, d, f, copy + i * size);
	}
}

static void change_message(struct arena *a, struct dice *d, ProtobufCMessage *m)
{
	const ProtobufCFieldDescriptor *f =
		&m->descriptor->fields[roll(d, m->descriptor->n_fields)];
	void *at = (char *)m + f->offset;
	bool pointer = f->type == PROTOBUF_C_TYPE_MESSAGE || f->type == PROTOBUF_C_TYPE_STRING;

	if (!m->descriptor->n_fields || f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return;
	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		change_list(a, d, f, m);
	} else if (pointer && f->label == PROTOBUF_C_LABEL_OPTIONAL &&
		   (!*(void **)at || !roll(d, 4))) {
		*(const void **)at =
			f->type == PROTOBUF_C_TYPE_STRING && !*(void **)at ? "a" : NULL;
	} else {
		if (!pointer && f->label == PROTOBUF_C_LABEL_OPTIONAL)
			*(protobuf_c_boolean *)((char *)m + f->quantifier_offset) = roll(d, 4) != 0;
		change_element(a, d, f, at);
	}
}

/* One record as it is, changed, gone, doubled, or under another number. */
static void change_record(struct arena *a, struct dice *d, const char *stem, uint32_t *id,
			  struct span *message)
{
	const ProtobufCMessageDescriptor *t = show_descriptor(stem);
	struct wire_place at = { "seed", 0 };
	ProtobufCMessage *m;
	uint8_t *p;

	if (!roll(d, 10))
		*id = (uint32_t)number(d, *id);
	if (!t || wire_unpack(a, &at, t, *message, &m))
		return;
	change_message(a, d, m);
	p = arena_alloc(a, protobuf_c_message_get_packed_size(m) + 1);
	message->len = protobuf_c_message_pack(m, p);
	message->p = (const char *)p;
}

static struct span change_records(struct arena *a, struct dice *d, const struct part *part)
{
	struct span rest = part->records, message;
	VEC(uint8_t) out = { 0 };
	uint32_t id, n = 0, i = 0, chosen;
	uint64_t what = roll(d, 12);

	while (format_next(&rest, &id, &message))
		n++;
	chosen = (uint32_t)roll(d, n);
	for (rest = part->records; format_next(&rest, &id, &message); i++) {
		unsigned char head[FORMAT_RECORD_BYTES];
		int copies = i != chosen ? 1 : what == 0 ? 0 : what == 1 ? 2 : 1;

		if (i == chosen && what > 1)
			change_record(a, d, part->stem, &id, &message);
		format_record((uint32_t)message.len, id, head);
		while (copies--) {
			for (size_t k = 0; k < sizeof(head); k++)
				*vec_push(a, &out) = head[k];
			for (size_t k = 0; k < message.len; k++)
				*vec_push(a, &out) = (uint8_t)message.p[k];
		}
	}
	return (struct span){ (const char *)out.v, out.n };
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned int seed)
{
	struct dice d = { seed };
	struct arena a;
	struct parts p = { 0 };
	size_t chosen, n = 0;
	uint8_t *out;

	arena_init(&a);
	cut_parts((struct span){ (const char *)data, len }, &p);
	for (uint64_t rounds = 1 + roll(&d, 3); rounds && p.n; rounds--) {
		chosen = roll(&d, p.n);
		if (!roll(&d, 40))
			p.v[chosen] = p.v[roll(&d, p.n)];
		p.v[chosen].records = change_records(&a, &d, &p.v[chosen]);
	}
	for (size_t i = 0; i < p.n; i++)
		n += PART_BYTES + p.v[i].records.len;
	if (p.n && n <= max) {
		out = arena_alloc(&a, n);
		n = 0;
		for (size_t i = 0; i < p.n; i++)
			n += put_part(out + n, p.v[i].stem, p.v[i].records);
		memcpy(data, out, n);
		len = n;
	}
	arena_deinit(&a);
	return len;
}

/* --- seeds --- */

/* The pages of a seed are zeros, and so their checksums. */
static void zero_hashes(const Pagemap *m)
{
	for (size_t i = 0; i < m->n_extent_pages; i++) {
		void *zero = calloc(m->extent_pages[i], 4096);

		m->extent_hash[i] = page_hash(zero, m->extent_pages[i] * 4096);
		free(zero);
	}
}

static void write_image(struct arena *a, struct image_set *s, const char *stem, FILE *to)
{
	const ProtobufCMessageDescriptor *t = show_descriptor(stem);
	uint8_t *out = arena_alloc(a, 1 << 20), *p = out + PART_BYTES;
	ProtobufCMessage *m;
	struct image *i;
	uint32_t id;

	if (!t || image_open(s, stem, &i))
		return;
	while (image_next(i, t, &id, &m) > 0) {
		if (t == &pagemap__descriptor)
			zero_hashes((const Pagemap *)m);
		if (t == &head__descriptor)
			((Head *)m)->hostname = (char *)"host";
		format_record((uint32_t)protobuf_c_message_get_packed_size(m), id, p);
		p += FORMAT_RECORD_BYTES;
		p += protobuf_c_message_pack(m, p);
	}
	memset(out, 0, STEM_BYTES);
	memcpy(out, stem, strlen(stem));
	memcpy(out + STEM_BYTES, &(uint32_t){ (uint32_t)(p - out) - PART_BYTES }, 4);
	(void)fwrite(out, 1, (size_t)(p - out), to);
}

static int make_seed(const char *from, const char *name)
{
	struct image_set *s;
	const char *const *stem;
	struct arena a;
	FILE *to = fopen(name, "we");
	_close_ int fd = -1;
	int r = to ? image_dir_open(from, false, &fd) : -EIO;

	arena_init(&a);
	r = r ?: image_set_open(&a, fd, &s);
	for (size_t i = 0, n = r ? 0 : image_set_stems(s, &stem); i < n; i++)
		write_image(&a, s, stem[i], to);
	arena_deinit(&a);
	return r || fclose(to) != 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *from = getenv("FUZZ_FROM"), *name = getenv("FUZZ_SEED");

	(void)argc;
	(void)argv;
	if (from && name)
		exit(make_seed(from, name));
	if (getenv("FUZZ_SEEDS"))
		exit(0); /* they are recorded */
	log_setup(&(struct log_config){
		.fd = getenv("FUZZ_LOG") ? STDERR_FILENO : open("/dev/null", O_WRONLY | O_CLOEXEC),
		.level = LOG_INFO });
	return 0;
}
