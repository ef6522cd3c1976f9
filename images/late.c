/*
 * Files beside a set: what can be known only when the set is complete already, because getting it
 * takes it away from the tree. One record, framed and hashed like an image, written under a
 * temporary name and renamed. The set is whole without it: the reader must know what its absence
 * means, and that a file from another checkpoint may lie there (the message names its own).
 */
#include <fcntl.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "images/record.h"

static int write_new(int dirfd, const char *name, struct span bytes, bool sync)
{
	_close_ int fd = -1;
	int r = io_open_at(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600, &fd);

	r = r ?: io_write(fd, bytes.p, bytes.len);
	return r ?: sync ? io_fsync(fd) : 0;
}

int image_late_write(struct arena *a, int dirfd, const char *stem, const ProtobufCMessage *m,
		     bool sync)
{
	const char *name = arena_printf(a, "%s.late", stem);
	const char *new = arena_printf(a, "%s.late.new", stem);
	int r = write_new(dirfd, new, record_pack_single(a, stem, m), sync);

	r = r ?: io_rename_at(dirfd, new, name);
	return r ? fail(r, "write '%s'", name) : 0;
}

int image_late_read(struct arena *a, int dirfd, const char *stem,
		    const ProtobufCMessageDescriptor *d, ProtobufCMessage **ret)
{
	const char *name = arena_printf(a, "%s.late", stem);
	struct wire_place at = { stem, 0 };
	struct format_image image;
	struct span bytes, message;
	uint32_t id;
	int r = io_slurp_at(a, dirfd, name, &bytes);

	if (r)
		return r == -ENOENT ? r : fail(r, "read '%s'", name);
	r = format_check(stem, bytes, &image);
	if (r)
		return r;
	if (image.count != 1 || !format_next(&image.records, &id, &message))
		return fail(-EPROTO, "'%s' has %u records, not 1", name, image.count);
	return wire_unpack(a, &at, d, message, ret);
}
