/*
 * The page store: raw pages, without header, so that a page's offset is aligned and it can be
 * mapped, spliced or read directly. What lies where, and each run's checksum, is kept by the
 * caller. The bytes are hashed in pieces right before each piece is written, while they are in the
 * cache: memory is passed over once.
 */
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "images/hash.h"
#include "images/set.h"

enum { PIECE_BYTES = 256 << 10, PIECE_IOV = 64, UNIT_BYTES = 4096 };

struct page_store {
	struct image_set *set;
	struct entry *entry;
	struct backend_file *file;
};

static const char *shard_stem(struct arena *a, uint32_t shard)
{
	return arena_printf(a, "pages-%" PRIu32, shard);
}

uint64_t page_hash(const void *p, size_t len)
{
	return XXH3_64bits(p, len);
}

struct page_digest page_digest(const void *p, size_t len, uint64_t seed)
{
	XXH128_hash_t h = XXH3_128bits_withSeed(p, len, seed);

	return (struct page_digest){h.low64, h.high64};
}

int page_store_create(struct image_set *s, uint32_t shard, struct page_store **ret)
{
	struct page_store *p = arena_new(s->arena, struct page_store);
	int r;

	p->set = s;
	r = set_add(s, shard_stem(s->arena, shard), ENTRY_PAGES, &p->entry, &p->file);
	if (r)
		return r;
	*ret = p;
	return 0;
}

/* A position in the caller's iovecs. */
struct cursor {
	const struct iovec *iov;
	int n_iov;
	size_t skip; /* bytes of the first one that are done */
};

/* Cuts the next piece; yields the number of entries, 0 at the end. */
static int cut_piece(struct cursor *c, struct iovec piece[PIECE_IOV])
{
	size_t room = PIECE_BYTES;
	int n = 0;

	while (c->n_iov && room && n < PIECE_IOV) {
		size_t left = c->iov->iov_len - c->skip;
		size_t len = left < room ? left : room;

		if (len)
			piece[n++] = (struct iovec){(char *)c->iov->iov_base + c->skip, len};
		room -= len;
		c->skip += len;
		if (c->skip == c->iov->iov_len) {
			c->iov++;
			c->n_iov--;
			c->skip = 0;
		}
	}
	return n;
}

static int append_pieces(struct page_store *p, struct cursor c, XXH3_state_t *hash)
{
	struct backend *b = p->set->backend;
	struct iovec piece[PIECE_IOV];
	int n, r = 0;

	while (!r && (n = cut_piece(&c, piece))) {
		for (int i = 0; i < n; i++)
			(void)XXH3_64bits_update(hash, piece[i].iov_base, piece[i].iov_len);
		r = b->ops->append(b, p->file, piece, n);
	}
	return r;
}

int page_store_append(struct page_store *p, const struct iovec *iov, int n_iov,
		      uint64_t *ret_offset, uint64_t *ret_hash)
{
	XXH3_state_t hash;
	uint64_t len = 0;
	int r;

	bug_on(!p->entry->open, "pages are appended before page_store_finish()");
	for (int i = 0; i < n_iov; i++)
		len += iov[i].iov_len;
	bug_on(len % UNIT_BYTES, "a page store takes whole pages");
	(void)XXH3_64bits_reset(&hash); /* fails for NULL only */
	r = append_pieces(p, (struct cursor){iov, n_iov, 0}, &hash);
	if (r)
		return r;
	*ret_offset = p->entry->size;
	*ret_hash = XXH3_64bits_digest(&hash);
	p->entry->size += len;
	return 0;
}

bool page_store_can_share(const struct page_store *p)
{
	return p->set->backend->ops->share != NULL;
}

int page_store_share(struct page_store *p)
{
	struct backend *b = p->set->backend;

	return b->ops->share(b, p->file);
}

void page_store_appended(struct page_store *p, uint64_t bytes)
{
	bug_on(!p->entry->open, "pages are appended before page_store_finish()");
	p->entry->size += bytes;
}

int page_store_finish(struct page_store *p)
{
	struct backend *b = p->set->backend;
	int r = b->ops->finish(b, p->file);

	if (r)
		return r;
	p->entry->open = false;
	return 0;
}

int page_store_open(struct image_set *s, uint32_t shard, int *ret_fd)
{
	const char *stem = shard_stem(s->arena, shard);
	const struct entry *e = set_find(s, stem);

	bug_on(s->writing, "a set is either written or read");
	if (!e || e->type != ENTRY_PAGES)
		return fail(-EPROTO, "image '%s' is referred to, but not part of the checkpoint",
			    stem);
	return s->backend->ops->open(s->backend, set_file_name(s, stem), e->size, ret_fd);
}
