#pragma once
#include <sys/uio.h>

#include "base/map.h"
#include "core/dump.h"
#include "core/memory/vma.h"
#include "pagemap.pb-c.h"

/*
 * What is appended to the page store and described by pagemap records. Pages are collected until
 * the buffer is full, then written at once with one checksum.
 */
enum { BATCH_BYTES = 512 << 10, BATCH_IOV = 1024 };

struct extent {
	uint64_t at, pages, hash;
};
struct page_writer {
	struct arena *arena;
	struct page_store *store;
	char *buffer;
	uint64_t next;                     /* store offset of the next page, with the shard */
	struct iovec iov[BATCH_IOV];       /* pending: where in the task (or object) */
	bool careful[BATCH_IOV];           /* of each: by the way that leaves shared pages shared */
	bool gentle;                       /* what is added now is read carefully */
	int n_iov;
	size_t pending_bytes;
	int (*fetch)(struct page_writer *w);  /* fills the buffer with the pending pieces */
	pid_t pid;
	int fd;                            /* /proc/PID/mem or the object */
	VEC(struct extent) extent;
	uint64_t seed;                     /* of the digests, random */
	struct map content;                /* digest of a page -> store offset + 1 */
	struct map shared;                 /* (address, frame) -> store offset + 1 */
};

/* `shard`: the number of the store. */
int page_writer_init(struct page_writer *w, struct arena *a, struct page_store *store,
		     uint32_t shard);
/* How many bytes went through it. */
uint64_t page_writer_bytes(const struct page_writer *w);
/* Queues [start, end); yields its offset in the store. */
int page_writer_add(struct page_writer *w, uint64_t start, uint64_t end, uint64_t *ret_at);
int page_writer_flush(struct page_writer *w);
/* Appends a run, or lengthens the last one. */
void run_append(struct arena *a, struct mm *m, struct run r);
/* Writes the records of one mm and forgets the extents. */
int page_writer_records(struct page_writer *w, struct image *image, const struct mm *m);
