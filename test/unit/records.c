/*
 * Single records, the page store and printing: every type survives, malformed messages are refused
 * by name, and a hostile one costs neither stack nor memory.
 */
#include "imagebox.h"
#include "images/json.h"
#include "images/wire.h"

struct bad {
	const char *bytes;
	size_t len;
	const char *words;
};

static const struct bad bads[] = {
	{"", 0, "Sample.int32 is missing"},
	{"\x08", 1, "Sample.int32 is malformed"},
	{"\x08\x01\x08\x01", 4, "Sample.int32 is given twice"},
	{"\x08\x01\x70\x02", 4, "Sample.colour has an unknown value"},
	{"\x08\x01\x7a\x03"
	 "a\0b",
	 7, "Sample.text has a NUL byte inside"},
	{"\x08\x01\x7a\x7f"
	 "a",
	 5, "Sample.text is malformed"},
	{"\x09\x01\x02\x03\x04\x05\x06\x07\x08", 9, "Sample.int32 is of another type"},
	{"\x08\x01\x8a\x01\x00", 5, "Leaf.a is missing"},
	{"\x08\x01\x9a\x01\x01\x80", 6, "Sample.packed_number is a malformed list"},
	{"\x08\x01\xa2\x01\x01\x09", 6, "Sample.packed_colour has an unknown value"},
	{"\x08\x01\xe2\x01\x01\x09", 6, "Sample.packed_fixed is a malformed list"},
	{"\xff\xff\xff\xff\xff\xff", 6, "Sample is malformed"},
	{"\x08\x01\x0b", 3, "Sample.int32 is malformed"}, /* a group */
};

static const char *t_malformed_messages(struct box *b)
{
	for (size_t k = 0; k < array_size(bads); k++) {
		struct wire_place at = {"tasks", 3};
		ProtobufCMessage *m;
		struct span s = {bads[k].bytes, bads[k].len};

		check(wire_unpack(&b->arena, &at, &sample__descriptor, s, &m) == -EPROTO);
		check(said(b, bads[k].words));
	}
	return NULL;
}

static const char *t_deep_nesting(struct box *b)
{
	Sample *inner = arena_new(&b->arena, Sample);
	struct image_set *s;
	struct image *i;

	sample__init(inner);
	for (int n = 0; n < WIRE_NESTING_MAX; n++) {
		Sample *outer = arena_new(&b->arena, Sample);

		sample__init(outer);
		outer->inner = inner;
		inner = outer;
	}
	check(!image_set_create(&b->arena, b->dirfd, 0, &s) && !image_create(s, "tasks", &i));
	check(!image_append(i, 0, &inner->inner->base) && !image_append(i, 1, &inner->base));
	check(!image_finish(i) && !image_set_commit(s));
	check(read_set(b) < 0 &&
	      said(b, "image 'tasks': record 1: Sample.inner is nested too deeply"));
	return NULL;
}

/* Two bytes that stand for a message of hundreds, many times. */

static const char *t_memory_is_bounded(struct box *b)
{
	struct wire_place at = {"tasks", 0};
	enum { N = 1 << 20 };
	char *p = arena_alloc(&b->arena, N);
	ProtobufCMessage *m;

	p[0] = 8;
	for (size_t i = 2; i + 7 <= N; i += 7)
		memcpy(p + i, "\xc2\x01\x04\xc2\x01\x01\x08", 7);
	check(wire_unpack(&b->arena, &at, &sample__descriptor, (struct span){p, N}, &m) == -EPROTO);
	for (size_t i = 2; i + 2 <= N; i += 2)
		memcpy(p + i, "\x92\x01", 2); /* number: tags without values */
	check(wire_unpack(&b->arena, &at, &sample__descriptor, (struct span){p, N}, &m) == -EPROTO);
	return NULL;
}

static const char *t_pages(struct box *b)
{
	enum { N = 300, PAGE = 4096 };
	char *all = arena_alloc(&b->arena, N * PAGE), *back = arena_alloc(&b->arena, N * PAGE);
	struct iovec iov[N + 1] = {0};
	struct image_set *s;
	struct page_store *p;
	uint64_t offset, hash;
	int fd;

	for (size_t i = 0; i < N * PAGE; i++)
		all[i] = (char)(i * 2654435761u >> 13);
	for (int i = 0; i < N; i++)
		iov[i] = (struct iovec){all + i * PAGE, PAGE};
	iov[0].iov_len = 5; /* entries need not be pages themselves, or hold anything */
	iov[N] = (struct iovec){all + 5, PAGE - 5};
	check(!image_set_create(&b->arena, b->dirfd, 0, &s) && !page_store_create(s, 3, &p));
	check(!page_store_append(p, iov + 1, N - 1, &offset, &hash) && offset == 0);
	check(hash == page_hash(all + PAGE, (N - 1) * PAGE));
	iov[1] = iov[N];
	check(!page_store_append(p, iov, 2, &offset, &hash) && offset == (N - 1) * PAGE);
	check(hash == page_hash(all, PAGE));
	check(!page_store_finish(p) && !image_set_commit(s));
	check(!image_set_open(&b->arena, b->dirfd, &s) && !page_store_open(s, 3, &fd));
	check(!io_pread(fd, back, N * PAGE, 0) && !memcmp(back, all + PAGE, (N - 1) * PAGE));
	check(!memcmp(back + (N - 1) * PAGE, all, PAGE));
	fd_close(&fd);
	check(page_store_open(s, 0, &fd) < 0 && said(b, "image 'pages-0' is referred to"));
	return NULL;
}

static const char *print_both(struct box *b, struct image_set *s, char **ret_json, char **ret_text)
{
	size_t len;
	FILE *f = open_memstream(ret_json, &len);

	check(f && !image_print_json(s, "tasks", &sample__descriptor, f) && !fclose(f));
	f = open_memstream(ret_text, &len);
	check(f && !image_print_text(s, "tasks", &sample__descriptor, f) && !fclose(f));
	(void)b;
	return NULL;
}

static const char want_json[] =
	"{\"image\":\"tasks\",\"type\":\"Sample\",\"records\":[{\"id\":0,\"value\":{"
	"\"int32\":-2147483648,\"sint32\":-2147483648,\"sfixed32\":-2,"
	"\"int64\":-9223372036854775808,"
	"\"sint64\":-9223372036854775808,\"sfixed64\":9223372036854775807,\"uint32\":0,"
	"\"fixed32\":4294967295,\"uint64\":18446744073709551615,\"fixed64\":18446744073709551615,"
	"\"single\":0.5,\"real\":-0.10000000000000001,\"flag\":true,\"colour\":\"BLUE\","
	"\"text\":\"text \\\"0\\\"\\u000a\\u00ff\xc3\xa9\",\"raw\":\"0001feff\",\"leaf\":{\"a\":0},"
	"\"number\":[0,1,18446744073709551615],\"packed_number\":[-1,0,2147483647],"
	"\"packed_colour\":[\"RED\",\"BLUE\"],\"word\":[\"\",\"\"],"
	"\"leaves\":[{\"a\":0},{\"a\":1}],"
	"\"other\":\"other\"}}]}\n";

static const char *t_print(struct box *b)
{
	struct image_set *s;
	char *json, *text;
	const char *why;

	check(!image_set_create(&b->arena, b->dirfd, 0, &s));
	check(!write_image(s, &b->arena, "tasks", 1) && !image_set_commit(s));
	check(!image_set_open(&b->arena, b->dirfd, &s));
	why = print_both(b, s, &json, &text);
	if (why)
		return why;
	check(!strcmp(json, want_json));
	check(strstr(text, "tasks (Sample)\n0\n    int32 -2147483648\n"));
	check(strstr(text, "    colour BLUE\n") &&
	      strstr(text, "    leaves\n      a 0\n    leaves\n      a 1\n"));
	free(json);
	free(text);
	return NULL;
}

static const char *t_print_to_full_disk(struct box *b)
{
	struct image_set *s;
	FILE *f = fopen("/dev/full", "we");

	check(f && !setvbuf(f, NULL, _IONBF, 0) && !write_set(b, 0) &&
	      !image_set_open(&b->arena, b->dirfd, &s));
	check(image_print_json(s, "tasks", &sample__descriptor, f) == -EIO &&
	      said(b, "print image 'tasks'"));
	(void)fclose(f); /* what it says was said before */
	return NULL;
}

static const struct test tests[] = {
	{"malformed messages", t_malformed_messages},
	{"deep nesting", t_deep_nesting},
	{"memory is bounded", t_memory_is_bounded},
	{"page store", t_pages},
	{"print", t_print},
	{"print to a full disk", t_print_to_full_disk},
};

int main(void)
{
	return run_tests(tests, array_size(tests));
}
