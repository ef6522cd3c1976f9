#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "core/dump.h"
#include "core/restore.h"
#include "file_ref.pb-c.h"

/*
 * Files by identity: how an open file, a mapping, an executable, a working directory is named in
 * the images (struct FileRef: mount id, path in that mount, device, inode number, size, mtime,
 * mode) and found again. Files without a name are kept as ghosts (content and metadata in the
 * checkpoint, recreated under the old name and removed again) or as link remaps; both by (device,
 * inode), once.
 */

/*
 * Describes the file behind our descriptor `fd` (O_PATH will do) whose kernel text (readlink of
 * /proc/.../fd/N, map_files, exe, cwd) is `link`, mount id `mnt_id` (0: unknown). Refuses what
 * cannot be named.
 */
int inode_describe(struct dump *d, const struct task *t, int fd, const char *link, uint32_t mnt_id,
		   FileRef **ret);
/* Writes ghosts and remaps seen so far to their images. */
int inode_dump_finish(struct dump *d);
/* The dump failed: removes the links it made. */
void inode_dump_undo(struct dump *d);
/* The checkpoint is complete: links stay until it is restored. */
void inode_dump_commit(struct dump *d);

/* Restore: reads the ghosts' images; checks every FileRef handed to inode_check(). */
int inode_plan(struct restore *r);
/* Reports a file that is missing or changed (size, mtime, mode) as a blocker. */
int inode_check(struct restore *r, const struct task *t, const FileRef *f, const char *what);
/* Recreates ghosts and link remaps (before the first open). */
int inode_create_ghosts(struct restore *r);
/* Opens it with these open(2) flags; yields a descriptor (close-on-exec) or -errno. */
int inode_open(struct restore *r, const FileRef *f, int flags);
/*
 * Removes the names that ghosts and remaps needed during the restore; also after a failure. Once
 * restored, the links that the dump made are removed as well: the tasks hold the files now.
 */
int inode_remove_ghosts(struct restore *r, bool restored);
/* Whether a process that was gone exists for the moment (a working directory in /proc needs it). */
bool inode_stands_in(const struct restore *r, pid_t pid);
/* --- for kinds that make files with names that stay --- */
struct journal *restore_journal(struct restore *r);
/* Makes the parents of `path` that are missing; the name to use in *ret (another one if it is
 * taken). */
int inode_place(struct restore *r, const char *path, const char **ret);
/*
 * The file at `made` (on the same mount) gets the name `path`. A file that has it by now keeps
 * another name until the tree is restored, and returns if it is not.
 */
int inode_put(struct restore *r, const char *made, const char *path);
int inode_end_puts(struct restore *r, bool restored);
