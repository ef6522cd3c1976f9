/*
 * Mappings of files, private and shared. The link in map_files tells how the file was opened: a
 * shared mapping that may be made writable later must be opened for writing again. The content of
 * shared mappings is the file's own, of private ones only pages that were written are saved.
 * Opening and mapping changes neither mtime nor ctime.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/file/inode.h"
#include "core/memory/memory-kind.h"
#include "images/image.h"
#include "kernel/sys.h"
#include "mapped_file.pb-c.h"

extern const struct mem_kind kind_mapped_file;

static bool match(struct dump *d, const struct vma_probe *p)
{
	(void)d;
	return p->text->vma.ino || p->text->vma.major || p->text->vma.minor;
}

/* What looks like a file and is none. */
static const struct {
	const char *prefix, *reason, *remedy;
} not_a_file[] = {
	{ "/secretmem", "nobody but the program itself can read secret memory",
	  "unmap it before the dump" },
	{ "anon_inode:", "it belongs to a kernel object that is not saved",
	  "unmap it before the dump" },
};

static int check_name(struct dump *d, const struct vma_probe *p)
{
	for (size_t i = 0; i < array_size(not_a_file); i++)
		if (span_starts(p->text->vma.path, not_a_file[i].prefix))
			return refuse(&d->blockers, p->task->pid, vma_title(&d->arena, p->text),
				      not_a_file[i].reason, not_a_file[i].remedy);
	if (p->text->flags & vm_flag(HT))
		return refuse(&d->blockers, p->task->pid, vma_title(&d->arena, p->text),
			      "files of a hugetlbfs are not saved",
			      "use memfd_create with MFD_HUGETLB");
	return 0;
}

static int check_mode(struct dump *d, const struct vma_probe *p, const struct stat *st)
{
	if (S_ISREG(st->st_mode) || (S_ISCHR(st->st_mode) && st->st_rdev == 0x105)) /* /dev/zero */
		return 0;
	return refuse(&d->blockers, p->task->pid, vma_title(&d->arena, p->text),
		      "it maps a device, whose state is not known", "unmap it before the dump");
}

static int describe(struct dump *d, const struct vma_probe *p, MappedFile *m)
{
	_close_ int fd = vma_open_file(p, O_PATH);
	char path[64], link[4097];
	struct stat st;
	long r;

	if (fd < 0)
		return fail(fd, "open %s of task %d", vma_title(&d->arena, p->text), p->task->pid);
	(void)snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, p->text->vma.start,
		       p->text->vma.end);
	r = sys(SYS_fstat, fd, &st);
	if (r < 0)
		return fail(r, "look at %s", vma_title(&d->arena, p->text));
	r = check_mode(d, p, &st);
	if (r)
		return (int)r;
	r = sys(SYS_readlinkat, p->task->proc_fd, path, link, sizeof(link) - 1);
	if (r < 0)
		return fail(r, "read the name of %s", vma_title(&d->arena, p->text));
	link[r] = 0;
	return inode_describe(d, p->task, fd, link, 0, &m->file);
}

static int read_link_mode(struct dump *d, const struct vma_probe *p, bool *ret_writable)
{
	char path[64];
	struct stat st;
	long r;

	(void)snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, p->text->vma.start,
		       p->text->vma.end);
	r = sys(SYS_newfstatat, p->task->proc_fd, path, &st, AT_SYMLINK_NOFOLLOW);
	if (r < 0)
		return fail(r, "mode of %s", vma_title(&d->arena, p->text));
	*ret_writable = st.st_mode & S_IWUSR;
	return 0;
}

/*
 * Whether the mapping's description was opened for writing. A shared mapping may be made writable
 * only then. For a private one the link is asked, once for equal mappings of relatives: a child
 * inherits the description, and a thousand children would cost 16,000 looks.
 */
static int link_mode(struct dump *d, const struct vma_probe *p, bool *ret_writable)
{
	const struct vma_text *v = &p->text->vma;
	const uint64_t key[] = { v->end, v->pgoff_bytes, v->ino, v->major, v->minor };
	struct map *known = memory_link_modes(d);
	uint64_t hash = page_hash(key, sizeof(key));
	uintptr_t mode = (uintptr_t)map_get(known, v->start, hash);
	int r;

	if (v->shared || mode) {
		*ret_writable = v->shared ? p->text->flags & vm_flag(MW) : mode - 1;
		return 0;
	}
	r = read_link_mode(d, p, ret_writable);
	if (!r)
		map_put(known, v->start, hash, (void *)(uintptr_t)(*ret_writable + 1));
	return r;
}

static int dump(struct dump *d, const struct vma_probe *p, struct vma *v)
{
	const struct vma_text *text = &p->text->vma;
	MappedFile m = MAPPED_FILE__INIT;
	uint64_t name = page_hash(text->path.p, text->path.len);
	bool is_new, writable = false;
	int r = check_name(d, p) ?: link_mode(d, p, &writable);

	if (r)
		return r;
	m.writable = writable;
	v->object = memory_object_id(d, &kind_mapped_file, text->ino,
				     name ^ ((uint64_t)text->major << 33 |
					     (uint64_t)text->minor << 1 | writable),
				     &is_new);
	r = is_new ? describe(d, p, &m) : 0;
	if (r || !is_new)
		return r;
	return memory_append_object(d, &kind_mapped_file, v->object, &m.base);
}

static int plan(struct restore *r, const struct task *t, const struct mem_object *o)
{
	const MappedFile *m = o->msg;

	return inode_check(r, t, m->file, "mapped file");
}

static int open_file(struct restore *r, const struct mem_object *o)
{
	const MappedFile *m = o->msg;
	int fd = inode_open(r, m->file, m->writable ? O_RDWR : O_RDONLY);

	return fd < 0 ? fail(fd, "open the mapped file '%s'", m->file->path) : fd;
}

const struct mem_kind kind_mapped_file = {
	.name = "mapped_file", .number = VMA__KIND__FILE, .descriptor = &mapped_file__descriptor,
	.match = match, .dump = dump, .plan = plan, .open = open_file,
};
