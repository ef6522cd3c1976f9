/*
 * A set as one stream of bytes: into a pipe, a socket or a file, and out of it again, front to
 * back, without seeking. Files are written as they grow, in frames, so that several may be open at
 * once. A reader collects images in its arena and page shards in memfds, and stops right behind the
 * commit record: the other side need not close, and what follows stays in the pipe. A stream that
 * ends before is no checkpoint, so a writer that fails has nothing to take back.
 *
 * Limits: all pages of the set are held in memory by the reader. A writer whose reader went away
 * gets SIGPIPE unless the tool ignores it.
 */
#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "images/backend.h"
#include "images/format.h"
#include "images/set.h"

enum frame_type { FRAME_BEGIN = 1, FRAME_DATA, FRAME_END, FRAME_COMMIT };
enum { STREAM_VERSION = 1, PIECE_BYTES = 256 << 10, NAME_MAX_BYTES = 64 };
#define FRAME_MAX (256ULL << 20)

static const unsigned char magic[8] = {0x89, 'T', 'O', 'R', 'S', '\r', '\n', 0x1a};

/* Little endian on the wire. */
struct stream_header {
	unsigned char magic[8];
	uint32_t version, reserved;
};

struct frame {
	uint32_t type, file; /* files are numbered from 0 in the order of their first frame */
	uint64_t len;	     /* bytes behind the frame: name, data, nothing, commit record */
};

struct backend_file {
	const char *name;
	uint32_t number;
	/* reading */
	bool ended;
	uint64_t size;
	struct span bytes;
	size_t cap;
	int memfd; /* of a shard, else -1 */
};

struct stream {
	struct backend backend;
	int fd;
	unsigned int flags;
	VEC(struct backend_file *) file;
	struct span commit;
};

static struct stream *stream_of(struct backend *b)
{
	return container_of(b, struct stream, backend);
}

/* --- writing --- */

static int put(struct stream *s, const struct frame *f, const struct iovec *iov, int n_iov)
{
	enum { BATCH = 64 };
	struct frame wire = {htole32(f->type), htole32(f->file), htole64(f->len)};
	struct iovec batch[BATCH + 1] = {{&wire, sizeof(wire)}};
	int r = 0, used = 1;

	for (int i = 0; i < n_iov && !r; i++) {
		batch[used++] = iov[i];
		if (used <= BATCH)
			continue;
		r = io_writev(s->fd, batch, used);
		used = 0;
	}
	if (!r)
		r = io_writev(s->fd, batch, used);
	return r ? fail(r, "write to the stream '%s'", s->backend.place) : 0;
}

static int stream_create(struct backend *b, const char *name, struct backend_file **ret)
{
	struct stream *s = stream_of(b);
	struct backend_file *f = arena_new(b->arena, struct backend_file);
	struct iovec iov = {(char *)name, strlen(name)};
	int r;

	f->number = (uint32_t)s->file.n;
	r = put(s, &(struct frame){FRAME_BEGIN, f->number, iov.iov_len}, &iov, 1);
	if (r)
		return r;
	*vec_push(b->arena, &s->file) = f;
	*ret = f;
	return 0;
}

static int stream_append(struct backend *b, struct backend_file *f, const struct iovec *iov,
			 int n_iov)
{
	uint64_t len = 0;

	for (int i = 0; i < n_iov; i++)
		len += iov[i].iov_len;
	return put(stream_of(b), &(struct frame){FRAME_DATA, f->number, len}, iov, n_iov);
}

static int stream_finish(struct backend *b, struct backend_file *f)
{
	return put(stream_of(b), &(struct frame){FRAME_END, f->number, 0}, NULL, 0);
}

static int stream_commit(struct backend *b, struct span content)
{
	struct stream *s = stream_of(b);
	struct iovec iov = {(char *)content.p, content.len};
	int r = put(s, &(struct frame){FRAME_COMMIT, (uint32_t)s->file.n, content.len}, &iov, 1);

	if (!r && s->flags & IMAGE_SET_SYNC)
		r = io_fsync(s->fd);
	if (r == -EINVAL || r == -EROFS) /* a pipe or socket: nothing to make durable */
		r = 0;
	return r ? fail(r, "sync the stream '%s'", b->place) : 0;
}

static void stream_discard(struct backend *b)
{
	(void)b; /* what was written is no checkpoint without its end */
}

/* --- reading --- */

static struct backend_file *find(struct stream *s, const char *name)
{
	vec_foreach(f, &s->file)
		if (!strcmp((*f)->name, name))
			return *f;
	return NULL;
}

static int stream_list(struct backend *b, backend_names *ret)
{
	struct stream *s = stream_of(b);

	*ret = (backend_names){0};
	vec_foreach(f, &s->file)
		*vec_push(b->arena, ret) = (*f)->name;
	return 0;
}

static int stream_size(struct backend *b, const char *name, uint64_t *ret)
{
	struct stream *s = stream_of(b);
	const struct backend_file *f = find(s, name);
	bool commit = !strcmp(name, COMMIT_FILE);

	if (!f && !commit)
		return -ENOENT;
	*ret = commit ? s->commit.len : f->size;
	return 0;
}

static int stream_load(struct backend *b, const char *name, uint64_t size, struct span *ret)
{
	struct stream *s = stream_of(b);
	const struct backend_file *f = find(s, name);
	struct span bytes = f ? f->bytes : s->commit;

	if (bytes.len != size)
		return fail(-EPROTO, "'%s' in the stream '%s' is no image", name, b->place);
	*ret = bytes;
	return 0;
}

static int stream_open(struct backend *b, const char *name, uint64_t size, int *ret_fd)
{
	const struct backend_file *f = find(stream_of(b), name);
	int r;

	if (!f || f->memfd < 0 || f->size != size)
		return fail(-EPROTO, "'%s' in the stream '%s' holds no pages", name, b->place);
	r = io_dup(f->memfd, ret_fd);
	return r ? fail(r, "duplicate the descriptor of '%s'", name) : 0;
}

static void stream_close(struct backend *b)
{
	struct stream *s = stream_of(b);

	vec_foreach(f, &s->file)
		fd_close(&(*f)->memfd);
}

static const struct backend_ops stream_ops = {
	.create = stream_create,
	.append = stream_append,
	.finish = stream_finish,
	.commit = stream_commit,
	.discard = stream_discard,
	.list = stream_list,
	.size = stream_size,
	.load = stream_load,
	.open = stream_open,
	.close = stream_close,
};

static int get(struct stream *s, void *p, size_t len)
{
	int r = io_read(s->fd, p, len);

	if (r == -ENODATA)
		return fail(-EINVAL, "'%s' holds no complete checkpoint (no commit record)",
			    s->backend.place);
	return r ? fail(r, "read from the stream '%s'", s->backend.place) : 0;
}

static int broken(const struct stream *s, const char *what)
{
	return fail(-EPROTO, "the stream '%s' is damaged: %s", s->backend.place, what);
}

static int begin_file(struct stream *s, const struct frame *f)
{
	const size_t suffix = strlen(IMAGE_SUFFIX);
	struct backend_file *file = arena_new(s->backend.arena, struct backend_file);
	char name[NAME_MAX_BYTES] = "";
	int r;

	if (f->file != s->file.n || f->file >= SET_FILES_MAX)
		return broken(s, "its files are not in order");
	if (f->len <= suffix || f->len >= sizeof(name))
		return broken(s, "a name is too long or too short");
	r = get(s, name, f->len);
	if (r)
		return r;
	if (strlen(name) != f->len || strcmp(name + f->len - suffix, IMAGE_SUFFIX) != 0 ||
	    find(s, name))
		return broken(s, "an impossible name");
	*file = (struct backend_file){.name = arena_strdup(s->backend.arena, name), .memfd = -1};
	if (format_is_shard(name)) {
		r = io_memfd(name, &file->memfd);
		if (r)
			return fail(r, "memory for '%s'", name);
	}
	*vec_push(s->backend.arena, &s->file) = file;
	return 0;
}

/* Room grows with what has come, not with what is announced. */
static char *room(struct arena *a, struct backend_file *f, size_t len)
{
	if (f->cap - f->bytes.len < len) {
		f->cap = f->cap * 2 > f->bytes.len + len ? f->cap * 2 : f->bytes.len + len;
		f->bytes.p = arena_grow(a, (char *)f->bytes.p, f->bytes.len, f->cap);
	}
	return (char *)f->bytes.p + f->bytes.len;
}

static int read_data(struct stream *s, struct backend_file *f, uint64_t len)
{
	char *piece = f->memfd < 0 ? NULL : arena_alloc(s->backend.arena, PIECE_BYTES);

	while (len) {
		size_t n = len < PIECE_BYTES ? (size_t)len : PIECE_BYTES;
		char *p = piece ?: room(s->backend.arena, f, n);
		int r = get(s, p, n);

		if (r)
			return r;
		r = piece ? io_write(f->memfd, p, n) : 0;
		if (r)
			return fail(r, "keep '%s' in memory", f->name);
		f->bytes.len += piece ? 0 : n;
		f->size += n;
		len -= n;
	}
	return 0;
}

static int read_frame(struct stream *s, const struct frame *f)
{
	struct backend_file *file;

	if (f->type == FRAME_BEGIN)
		return begin_file(s, f);
	if (f->file >= s->file.n || s->file.v[f->file]->ended)
		return broken(s, "a frame of no file");
	file = s->file.v[f->file];
	if (f->type == FRAME_END && !f->len) {
		file->ended = true;
		return 0;
	}
	if (f->type != FRAME_DATA || !f->len || f->len > FRAME_MAX)
		return broken(s, "an unknown frame");
	if (file->memfd < 0 && f->len > FORMAT_IMAGE_MAX - file->size)
		return broken(s, "an image is too big");
	return read_data(s, file, f->len);
}

static int read_commit(struct stream *s, const struct frame *f)
{
	char *p;
	int r;

	if (f->len > COMMIT_BYTES_MAX || f->file != s->file.n)
		return broken(s, "its commit record is not the last of all");
	vec_foreach(file, &s->file)
		if (!(*file)->ended)
			return broken(s, "a file has no end");
	p = arena_alloc(s->backend.arena, f->len);
	r = get(s, p, f->len);
	if (r)
		return r;
	s->commit = (struct span){p, f->len};
	return 0;
}

static int read_stream(struct stream *s)
{
	struct stream_header h;
	struct frame f = {0};
	int r = get(s, &h, sizeof(h));

	if (r)
		return r;
	if (memcmp(h.magic, magic, sizeof(magic)) != 0 || h.reserved)
		return fail(-EPROTO, "'%s' is no stream of torpor (wrong magic)", s->backend.place);
	if (le32toh(h.version) != STREAM_VERSION)
		return fail(-EPROTO,
			    "the stream '%s' has version %" PRIu32 ", this torpor reads %d",
			    s->backend.place, le32toh(h.version), STREAM_VERSION);
	while (!r && f.type != FRAME_COMMIT) {
		r = get(s, &f, sizeof(f));
		f = (struct frame){le32toh(f.type), le32toh(f.file), le64toh(f.len)};
		if (!r)
			r = f.type == FRAME_COMMIT ? read_commit(s, &f) : read_frame(s, &f);
	}
	return r;
}

static struct stream *stream_new(struct arena *a, int fd, unsigned int flags)
{
	struct stream *s = arena_new(a, struct stream);

	s->backend = (struct backend){&stream_ops, a, io_fd_path(a, fd)};
	s->fd = fd;
	s->flags = flags;
	return s;
}

int image_stream_create(struct arena *a, int fd, unsigned int flags, struct image_set **ret)
{
	struct stream_header h = {.version = htole32(STREAM_VERSION)};
	struct stream *s = stream_new(a, fd, flags);
	int r;

	memcpy(h.magic, magic, sizeof(magic));
	r = io_write(fd, &h, sizeof(h));
	if (r)
		return fail(r, "write to the stream '%s'", s->backend.place);
	return set_create(a, &s->backend, ret);
}

int image_stream_open(struct arena *a, int fd, struct image_set **ret)
{
	struct stream *s = stream_new(a, fd, 0);
	int r = read_stream(s);

	if (!r)
		r = set_open(a, &s->backend, ret);
	if (r)
		stream_close(&s->backend);
	return r;
}
