/*
 * One memfd by several descriptions: original, reading, writing only, appending, in two tasks; an
 * end within a page; holes; permission bits; a position; and the program in another that runs by
 * its descriptor.
 */
/* harness: again=10 cycles=10 */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { PAGE = 4096, SIZE = 40 * PAGE + 123 };

static int fd, ro, wo, append;
static uint32_t *turn;

static int reopen(int flags)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return must(open(path, flags));
}

static void child(void *arg)
{
	char buf[8] = "";
	int own = reopen(O_RDWR);

	checkpoint_wait();
	event_wait(turn, 1);
	check(pread(own, buf, 4, 100) == 4 && !memcmp(buf, "wri", 3));
	check(lseek(fd, 0, SEEK_CUR) == 77);
	(void)arg;
}

static bool runs(int program)
{
	int status = -1;
	pid_t pid = must(fork());

	if (!pid) {
		execveat(program, "", (char *[]){"true", NULL}, (char *[]){NULL}, AT_EMPTY_PATH);
		_exit(errno);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

static int copy_program(void)
{
	int to = must(memfd_create("program", MFD_CLOEXEC)), from = must(open("/bin/true", 0));

	must(sendfile(to, from, NULL, 1 << 20));
	must(close(from));
	return to;
}

int main(void)
{
	int program = copy_program(), bare;
	struct stat st;
	char *map;

	turn = shared_alloc(PAGE);
	fd = must(memfd_create("with space", MFD_ALLOW_SEALING));
	must(ftruncate(fd, SIZE));
	must(fchmod(fd, 0640));
	ro = reopen(O_RDONLY | O_CLOEXEC);
	wo = reopen(O_WRONLY | O_NONBLOCK);
	append = reopen(O_RDWR | O_APPEND);
	bare = reopen(O_PATH);
	must(fcntl(fd, F_SETFL, O_NONBLOCK));
	must(lseek(fd, 77, SEEK_SET));
	must(pwrite(fd, "content", 7, 30 * PAGE));
	map = must_ptr(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, wo == -1 ? 0 : fd, 0));
	memcpy(map + SIZE, "behind", 7);
	task_run(child, NULL);
	checkpoint();
	check(!fstat(fd, &st) && st.st_size == SIZE && (st.st_mode & 07777) == 0640);
	check(lseek(ro, 0, SEEK_DATA) == 30 * PAGE, "no hole");
	check(!strcmp(map + SIZE, "behind") && !memcmp(map + 30 * PAGE, "content", 8));
	check(fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK | 0100000), "%#o", fcntl(fd, F_GETFL));
	check(write(ro, "x", 1) < 0 && fcntl(ro, F_GETFD) == FD_CLOEXEC);
	check(read(wo, map, 1) < 0 && pwrite(wo, "wri", 3, 100) == 3);
	check(write(append, "y", 1) == 1 && map[SIZE] == 'y');
	check(fcntl(bare, F_GETFL) & O_PATH);
	event_add(turn);
	check(runs(program));
	return test_end();
}
