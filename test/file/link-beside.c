/*
 * A file whose name is gone while another one lies beside it needs no option: semaphores with a
 * name (sem_open(3) makes them under a temporary one) and a file of two tasks. The text of the
 * mapping stays, nothing new is in the directory.
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/stat.h>

static int names(void)
{
	DIR *d = must_ptr(opendir("."));
	int n = 0;

	while (readdir(d))
		n++;
	must(closedir(d));
	return n;
}

static void child(void *arg)
{
	sem_t *s = arg;

	checkpoint_wait();
	must(sem_post(s));
}

int main(void)
{
	int fd = must(open("lost", O_CREAT | O_RDWR, 0600)), before;
	struct stat st, kept;
	char name[32];
	sem_t *s, *again;

	must(fstat(fd, &st));
	snprintf(name, sizeof(name), "/torpor-test-%lx", (unsigned long)st.st_ino);
	s = must_ptr(sem_open(name, O_CREAT | O_EXCL, 0600, 0));
	must(link("lost", "kept"));
	must(unlink("lost"));
	task_run(child, s);
	before = names();
	checkpoint();
	check(!fstat(fd, &st) && !stat("kept", &kept) && st.st_ino == kept.st_ino);
	check(st.st_nlink == 1 && names() == before && access("lost", F_OK));
	must(sem_wait(s));
	again = must_ptr(sem_open(name, 0));
	must(sem_post(s));
	check(!sem_trywait(again));
	must(sem_unlink(name));
	return test_end();
}
