/*
 * Deleted files: content with holes and mode; two names of one inode, in two tasks; a deleted
 * directory with a deleted file in it; strange characters.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { TAIL = 1 << 24 };
static const char strange[] = "a\n%\\\"b";
static int file;
static uint32_t *opened;

static bool called(int fd, const char *end)
{
	char path[32], text[4096] = "";

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	must(readlink(path, text, sizeof(text) - 1));
	return strlen(text) > strlen(end) && !strcmp(text + strlen(text) - strlen(end), end);
}

static void child(void *arg)
{
	char buf[4];

	(void)arg;
	must(close(file));
	file = must(open("other", O_RDONLY));
	event_add(opened);
	checkpoint_wait();
	check(pread(file, buf, 4, TAIL) == 4 && !memcmp(buf, "tail", 4));
	check(called(file, "/other (deleted)"));
}

int main(void)
{
	struct stat before, now;
	int dir, deep;

	opened = shared_alloc(4096);
	file = must(open(strange, O_CREAT | O_RDWR, 0600));
	must(pwrite(file, "head", 4, 0));
	must(pwrite(file, "tail", 4, TAIL));
	must(fchmod(file, 06751));
	must(link(strange, "other"));
	must(mkdir("dir", 0750));
	must(mkdir("dir/sub", 0711));
	dir = must(open("dir/sub", O_DIRECTORY));
	deep = must(open("dir/sub/file", O_CREAT | O_RDWR, 0600));
	task_run(child, NULL);
	event_wait(opened, 1);
	must(unlink(strange) | unlink("other") | unlink("dir/sub/file") | rmdir("dir/sub"));
	must(rmdir("dir"));
	must(fstat(file, &before));
	checkpoint();
	check(!fstat(file, &now) && now.st_nlink == 0 && now.st_size == before.st_size);
	check((now.st_mode & 07777) == 06751 && now.st_blocks == before.st_blocks);
	check(now.st_mtim.tv_sec == before.st_mtim.tv_sec &&
	      now.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
	check(called(file, "/a\n%\\\"b (deleted)") && called(deep, "/dir/sub/file (deleted)"));
	check(!fstat(dir, &now) && S_ISDIR(now.st_mode) && now.st_nlink == 0);
	check(access("dir", F_OK) && access("other", F_OK) && access(strange, F_OK));
	return test_end();
}
