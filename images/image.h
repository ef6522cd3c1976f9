#pragma once
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/arena.h"
#include "base/str.h"

/*
 * A checkpoint is a set of named images. An image holds records of one message type; a record is
 * (id, protobuf message), where id is the index of the object it belongs to (task, thread, mm, open
 * file description...: the kind defines it). Functions return 0 or -errno and report failures.
 */
struct image_set;
struct image;

enum image_set_flags {
	IMAGE_SET_SYNC = 1, /* one syncfs before the commit record, the directory synced after it */
	IMAGE_SET_REPLACE = 2, /* a committed set in the directory is removed first */
};

/* A directory by its path; `create`: made if missing, for its owner only (0700). */
int image_dir_open(const char *path, bool create, int *ret_fd);
/*
 * A new set in the directory dirfd, which stays the caller's and open until image_set_close().
 * -EEXIST if it holds a committed set. What a killed dump left there is removed; other images that
 * are not ours are not, and refused.
 */
int image_set_create(struct arena *a, int dirfd, unsigned int flags, struct image_set **ret);
/* Opens a committed set and verifies every image but the page stores against the commit record. */
int image_set_open(struct arena *a, int dirfd, struct image_set **ret);
/*
 * A set as one stream, front to back: written to fd, or read from it up to the end of the set and
 * held in memory. fd stays the caller's; for the reader only during the call.
 */
int image_stream_create(struct arena *a, int fd, unsigned int flags, struct image_set **ret);
int image_stream_open(struct arena *a, int fd, struct image_set **ret);
/* Writes the commit record, last. Without it the directory is not a checkpoint. */
int image_set_commit(struct image_set *s);
/* Removes every file that this set created (a dump that failed). */
void image_set_discard(struct image_set *s);
/* Not committed and not discarded: the files stay, and the next dump removes them. */
void image_set_close(struct image_set *s);

/*
 * One record in a file beside a complete set ("<stem>.late"); see images/late.c. Reading yields
 * -ENOENT (unreported) when there is none.
 */
int image_late_write(struct arena *a, int dirfd, const char *stem, const ProtobufCMessage *m,
		     bool sync);
int image_late_read(struct arena *a, int dirfd, const char *stem,
		    const ProtobufCMessageDescriptor *d, ProtobufCMessage **ret);

/* Writing: records are buffered; image_finish() writes the trailer. */
int image_create(struct image_set *s, const char *stem, struct image **ret);
int image_append(struct image *i, uint32_t id, const ProtobufCMessage *m);
int image_finish(struct image *i);

/* Reading: -ENOENT (unreported) when the set has no image of that stem. */
int image_open(struct image_set *s, const char *stem, struct image **ret);
/*
 * 1: a record, 0: the end, -errno: broken. Unknown fields are refused. The message lives in the
 * arena of the set.
 */
int image_next(struct image *i, const ProtobufCMessageDescriptor *d, uint32_t *ret_id,
	       ProtobufCMessage **ret);
/*
 * The same for images whose records are often equal to the one before: then it yields that one's
 * message again, which therefore nobody may change.
 */
int image_next_alike(struct image *i, const ProtobufCMessageDescriptor *d, uint32_t *ret_id,
		     const ProtobufCMessage **ret);
/*
 * Calls `reader` for each record of the image, up to the first that yields anything but 0, which is
 * the result. A set without an image of that stem has no records.
 */
typedef int image_reader(void *context, uint32_t id, const ProtobufCMessage *m);
int image_each(struct image_set *s, const char *stem, const ProtobufCMessageDescriptor *d,
	       image_reader *reader, void *context);
uint32_t image_count(const struct image *i); /* records, known after image_open() */
/* Stems of the set's images, in the order of the commit record; page stores are not among them. */
size_t image_set_stems(const struct image_set *s, const char *const **ret);

/*
 * Page store: shards `pages-<n>.img`, raw and page aligned, each with a checksum per run kept in
 * pagemap.img by the caller. A store being written appends; one being read is a descriptor.
 */
struct page_store;
int page_store_create(struct image_set *s, uint32_t shard, struct page_store **ret);
/* Appends whole pages; yields their offset in bytes and the xxh3-64 of the bytes. */
int page_store_append(struct page_store *p, const struct iovec *iov, int n_iov,
		      uint64_t *ret_offset, uint64_t *ret_hash);
/*
 * Lets a process forked from this one append to the store instead of the caller, who tells then how
 * much that was. Not in every set: page_store_can_share().
 */
bool page_store_can_share(const struct page_store *p);
int page_store_share(struct page_store *p);
void page_store_appended(struct page_store *p, uint64_t bytes);
int page_store_finish(struct page_store *p);
/* A descriptor of shard n of an opened set, read-only; its size has been checked. */
int page_store_open(struct image_set *s, uint32_t shard, int *ret_fd);
uint64_t page_hash(const void *p, size_t len);
/*
 * 128 bits that tell equal contents within one dump. The seed is random and never stored, so that
 * no program can prepare two pages that are taken for one.
 */
struct page_digest {
	uint64_t low, high;
};
struct page_digest page_digest(const void *p, size_t len, uint64_t seed);
