/*
 * The reader of sets, over a back end in memory. The first byte of the input says how much of the
 * frame is made valid for it: checksums would otherwise keep the fuzzer from everything behind
 * them.
 */
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
#include "images/hash.h"
#include "images/json.h"
#include "images/record.h"
#include "images/set.h"
#include "commit.pb-c.h"
#include "head.pb-c.h"
#include "sample.pb-c.h"

enum shape { RAW_IMAGE, RAW_COMMIT, RECORDS, MESSAGE, COMMIT_MESSAGE, STREAM, SHAPES };

struct memory {
	struct backend backend;
	struct span commit, tasks;
	void *copy[8]; /* exactly as long as the file, for the address sanitizer */
	size_t n_copy;
};

static struct memory *memory_of(struct backend *b)
{
	return container_of(b, struct memory, backend);
}

static int memory_list(struct backend *b, backend_names *ret)
{
	*ret = (backend_names){0};
	*vec_push(b->arena, ret) = COMMIT_FILE;
	*vec_push(b->arena, ret) = "tasks.img";
	return 0;
}

static const struct span *find(struct backend *b, const char *name)
{
	struct memory *m = memory_of(b);

	return !strcmp(name, COMMIT_FILE)   ? &m->commit
	       : !strcmp(name, "tasks.img") ? &m->tasks
					    : NULL;
}

static int memory_size(struct backend *b, const char *name, uint64_t *ret)
{
	const struct span *s = find(b, name);

	if (!s)
		return -ENOENT;
	*ret = s->len;
	return 0;
}

static int memory_load(struct backend *b, const char *name, uint64_t size, struct span *ret)
{
	struct memory *m = memory_of(b);
	const struct span *s = find(b, name);
	char *p = malloc(size ? size : 1);

	bug_on(!s || s->len != size || m->n_copy == array_size(m->copy),
	       "files are loaded once, whole");
	memcpy(p, s->p, size);
	m->copy[m->n_copy++] = p;
	*ret = (struct span){p, size};
	return 0;
}

static const struct backend_ops memory_ops = {
	.list = memory_list,
	.size = memory_size,
	.load = memory_load,
};

/* Header and trailer around records, as valid as they can be. */
static struct span wrap(struct arena *a, const char *stem, struct span records)
{
	size_t size = FORMAT_HEADER_BYTES + records.len + FORMAT_TRAILER_BYTES;
	unsigned char *p = arena_alloc(a, size), *trailer = p + size - FORMAT_TRAILER_BYTES;
	uint32_t count = 0, len;

	format_header(stem, p);
	memcpy(p + FORMAT_HEADER_BYTES, records.p, records.len);
	for (; records.len >= 8; count++) {
		memcpy(&len, records.p, sizeof(len));
		if (len > records.len - 8)
			break;
		records = (struct span){records.p + 8 + len, records.len - 8 - len};
	}
	format_trailer_count(count, trailer);
	format_trailer_hash(XXH3_64bits(p, size - 8), trailer);
	return (struct span){(const char *)p, size};
}

static struct span wrap_message(struct arena *a, const char *stem, struct span message)
{
	unsigned char *p = arena_alloc(a, FORMAT_RECORD_BYTES + message.len);

	format_record((uint32_t)message.len, 7, p);
	memcpy(p + FORMAT_RECORD_BYTES, message.p, message.len);
	return wrap(a, stem, (struct span){(const char *)p, FORMAT_RECORD_BYTES + message.len});
}

static struct span commit_for(struct arena *a, struct span tasks)
{
	CommitFile file = COMMIT_FILE__INIT, *list = &file;
	Commit commit = COMMIT__INIT;

	file.stem = (char *)"tasks";
	file.size = tasks.len;
	file.has_hash = 1;
	file.hash = XXH3_64bits(tasks.p, tasks.len);
	commit.file = &list;
	commit.n_file = 1;
	return record_pack_single(a, COMMIT_STEM, &commit.base);
}

static void set_up(struct memory *m, enum shape shape, struct span in)
{
	struct arena *a = m->backend.arena;

	m->tasks = shape == RAW_IMAGE ? in
		   : shape == RECORDS ? wrap(a, "tasks", in)
		   : shape == MESSAGE ? wrap_message(a, "tasks", in)
				      : wrap(a, "tasks", (struct span){"", 0});
	m->commit = shape == RAW_COMMIT	      ? in
		    : shape == COMMIT_MESSAGE ? wrap_message(a, COMMIT_STEM, in)
					      : commit_for(a, m->tasks);
}

static void print_all(struct image_set *s)
{
	const ProtobufCMessageDescriptor *const d[] = {&sample__descriptor, &head__descriptor};
	FILE *out = fopen("/dev/null", "we");

	for (size_t k = 0; k < array_size(d) * 2; k++)
		(void)(k % 2 ? image_print_text : image_print_json)(s, "tasks", d[k / 2], out);
	(void)fclose(out);
}

static void read_stream(struct arena *a, struct span in)
{
	_close_ int fd = memfd_create("stream", MFD_CLOEXEC);
	struct image_set *s;

	if (!io_write(fd, in.p, in.len) && !lseek(fd, 0, SEEK_SET) &&
	    !image_stream_open(a, fd, &s)) {
		print_all(s);
		image_set_close(s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena a;
	struct memory m = {.backend = {&memory_ops, &a, "memory"}};
	struct image_set *s;
	struct span in;

	if (!len)
		return 0;
	arena_init(&a);
	in = (struct span){(const char *)data + 1, len - 1};
	if (data[0] % SHAPES == STREAM) {
		read_stream(&a, in);
	} else {
		set_up(&m, data[0] % SHAPES, in);
		if (!set_open(&a, &m.backend, &s))
			print_all(s);
	}
	while (m.n_copy)
		free(m.copy[--m.n_copy]);
	arena_deinit(&a);
	return 0;
}

static void seed(const char *dir, const char *name, enum shape shape, struct span s)
{
	char path[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f)
		return;
	(void)putc(shape, f);
	(void)fwrite(s.p, 1, s.len, f);
	(void)fclose(f);
}

static void seed_stream(struct arena *a, const char *dir, struct span message)
{
	_close_ int fd = memfd_create("stream", MFD_CLOEXEC);
	struct image_set *s;
	ProtobufCMessage *m = NULL;
	struct wire_place at = {"seed", 0};
	struct image *i;
	struct span all;

	if (!wire_unpack(a, &at, &sample__descriptor, message, &m) &&
	    !image_stream_create(a, fd, 0, &s) && !image_create(s, "tasks", &i) &&
	    !image_append(i, 1, m) && !image_finish(i) && !image_set_commit(s) &&
	    !lseek(fd, 0, SEEK_SET) && !io_slurp(a, fd, &all))
		seed(dir, "stream", STREAM, all);
}

static void write_seeds(const char *dir)
{
	static const char message[] =
		"\x08\x01\x10\x03\x45\1\2\3\4\x70\1\x7a\3abc\x82\1\2\0\1\x8a\1\2\x08\5\x90\1\7"
		"\x9a\1\2\1\2\xa2\1\1\0\xba\1\2\x08\1\xc2\1\2\x08\1\xd0\1\1"
		"\xe2\1\10\1\2\3\4\5\6\7\0";
	struct span m = {message, sizeof(message) - 1};
	struct arena a;
	struct span tasks, commit;

	arena_init(&a);
	tasks = wrap_message(&a, "tasks", m);
	commit = commit_for(&a, wrap(&a, "tasks", (struct span){"", 0}));
	seed(dir, "message", MESSAGE, m);
	seed(dir, "image", RAW_IMAGE, tasks);
	seed(dir, "records", RECORDS,
	     (struct span){tasks.p + FORMAT_HEADER_BYTES, FORMAT_RECORD_BYTES + m.len});
	seed(dir, "commit", RAW_COMMIT, commit);
	seed(dir, "commit-message", COMMIT_MESSAGE,
	     (struct span){commit.p + FORMAT_HEADER_BYTES + FORMAT_RECORD_BYTES,
			   commit.len - FORMAT_HEADER_BYTES - FORMAT_RECORD_BYTES -
				   FORMAT_TRAILER_BYTES});
	seed_stream(&a, dir, m);
	arena_deinit(&a);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *dir = getenv("FUZZ_SEEDS");

	(void)argc;
	(void)argv;
	if (dir) {
		write_seeds(dir);
		exit(0);
	}
	log_setup(&(struct log_config){.fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
				       .level = LOG_WARN});
	return 0;
}
