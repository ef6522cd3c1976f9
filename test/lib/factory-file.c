/*
 * Files: with a name, without one, directories, devices, pipes, memory files, files in /proc,
 * terminals, locks.
 */
#include "factory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>

enum { LEN = 5000 };

static void make_regular(struct object *o)
{
	o->fd[0] = must(open(o->name, O_CREAT | O_EXCL | O_RDWR, 0644));
	stream_put(o->fd[0], LEN, o->seed);
	must(lseek(o->fd[0], 100 + (off_t)o->seed, SEEK_SET));
}

static void check_regular(struct object *o)
{
	check(lseek(o->fd[0], 0, SEEK_CUR) == 100 + (off_t)o->seed);
	check(!lseek(o->fd[0], 0, SEEK_SET));
	stream_expect(o->fd[0], LEN, o->seed);
	check(write(o->fd[0], "end", 3) == 3);
}

static void check_named(struct object *o)
{
	struct stat a, b;

	check_regular(o);
	check(!fstat(o->fd[0], &a) && !stat(o->name, &b) && a.st_ino == b.st_ino, "%s", o->name);
}

static void make_deleted(struct object *o)
{
	make_regular(o);
	must(unlink(o->name));
}

static void check_deleted(struct object *o)
{
	struct stat st;

	check_regular(o);
	check(!fstat(o->fd[0], &st) && st.st_nlink == 0 && access(o->name, F_OK) < 0, "links %lu",
	      (long)st.st_nlink);
}

static void make_tmpfile(struct object *o)
{
	o->fd[0] = must(open(".", O_TMPFILE | O_RDWR, 0600));
	stream_put(o->fd[0], LEN, o->seed);
	must(lseek(o->fd[0], 100 + (off_t)o->seed, SEEK_SET));
}

static void make_append(struct object *o)
{
	must(close(must(open(o->name, O_CREAT | O_EXCL | O_RDWR, 0644))));
	o->fd[0] = must(open(o->name, O_WRONLY | O_APPEND | O_CLOEXEC));
	stream_put(o->fd[0], LEN, o->seed);
}

static void check_append(struct object *o)
{
	check(!lseek(o->fd[0], 0, SEEK_SET) && write(o->fd[0], "x", 1) == 1);
	check(lseek(o->fd[0], 0, SEEK_CUR) == LEN + 1);
	check(fcntl(o->fd[0], F_GETFD) == FD_CLOEXEC && read(o->fd[0], &(char){0}, 1) < 0 &&
	      errno == EBADF);
}

static void make_directory(struct object *o)
{
	must(mkdir(o->name, 0700));
	o->fd[0] = must(open(o->name, O_RDONLY | O_DIRECTORY));
	must(close(must(openat(o->fd[0], "entry", O_CREAT | O_WRONLY, 0600))));
}

static void check_directory(struct object *o)
{
	check(!faccessat(o->fd[0], "entry", F_OK, 0));
	check(!mkdirat(o->fd[0], "new", 0700) && !unlinkat(o->fd[0], "new", AT_REMOVEDIR));
}

static void make_opath(struct object *o)
{
	make_regular(o);
	must(close(o->fd[0]));
	o->fd[0] = must(open(o->name, O_PATH));
	o->fd[1] = must(open(".", O_PATH | O_DIRECTORY));
}

static void check_opath(struct object *o)
{
	struct stat a, b;

	check(fcntl(o->fd[0], F_GETFL) & O_PATH && read(o->fd[0], &(char){0}, 1) < 0 &&
	      errno == EBADF);
	check(!fstat(o->fd[0], &a) && !fstatat(o->fd[1], o->name, &b, 0) && a.st_ino == b.st_ino);
}

static void make_removed_directory(struct object *o)
{
	must(mkdir(o->name, 0710));
	o->fd[0] = must(open(o->name, O_RDONLY | O_DIRECTORY));
	must(rmdir(o->name));
}

static void check_removed_directory(struct object *o)
{
	struct stat st;

	check(!fstat(o->fd[0], &st) && S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0710);
	check(openat(o->fd[0], "new", O_CREAT | O_WRONLY, 0600) < 0 && errno == ENOENT);
	check(access(o->name, F_OK) < 0);
}

static void make_namespace(struct object *o)
{
	o->fd[0] = must(open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC));
	o->fd[1] = must(open("/proc/self/ns/net", O_RDONLY));
}

static void check_namespace(struct object *o)
{
	struct stat a, b;

	check(!fstat(o->fd[0], &a) && !stat("/proc/self/ns/uts", &b) && a.st_ino == b.st_ino);
	check(!fstat(o->fd[1], &a) && !stat("/proc/self/ns/net", &b) && a.st_ino == b.st_ino);
	check(fcntl(o->fd[0], F_GETFD) == FD_CLOEXEC);
}

static void make_symlink(struct object *o)
{
	must(symlink("nowhere", o->name));
	o->fd[0] = must(open(o->name, O_PATH | O_NOFOLLOW));
}

static void check_symlink(struct object *o)
{
	char to[16] = "";

	check(readlinkat(o->fd[0], "", to, sizeof(to) - 1) == 7 && !strcmp(to, "nowhere"));
}

static void make_devices(struct object *o)
{
	o->fd[0] = must(open("/dev/null", O_RDWR));
	o->fd[1] = must(open("/dev/zero", O_RDONLY));
	o->fd[2] = must(open("/dev/urandom", O_RDONLY | O_NONBLOCK));
}

static void check_devices(struct object *o)
{
	char byte = 1;

	check(read(o->fd[0], &byte, 1) == 0 && write(o->fd[0], &byte, 1) == 1);
	check(read(o->fd[1], &byte, 1) == 1 && byte == 0);
	check(read(o->fd[2], &byte, 1) == 1 && fcntl(o->fd[2], F_GETFL) & O_NONBLOCK);
}

static void make_pipe(struct object *o)
{
	must(pipe(o->fd));
	stream_put(o->fd[1], LEN, o->seed);
}

static void check_pipe(struct object *o)
{
	stream_expect(o->fd[0], LEN, o->seed);
	stream_put(o->fd[1], 10, 1);
	stream_expect(o->fd[0], 10, 1);
}

static void make_pipe_full(struct object *o)
{
	must(pipe2(o->fd, O_NONBLOCK));
	must(fcntl(o->fd[1], F_SETPIPE_SZ, 16384));
	stream_put(o->fd[1], 16384, o->seed);
	must_true(write(o->fd[1], "x", 1) < 0);
}

static void check_pipe_full(struct object *o)
{
	check(fcntl(o->fd[0], F_GETPIPE_SZ) == 16384 && write(o->fd[1], "x", 1) < 0 &&
	      errno == EAGAIN);
	stream_expect(o->fd[0], 16384, o->seed);
	check(read(o->fd[0], &(char){0}, 1) < 0 && errno == EAGAIN);
}

static void make_packets(struct object *o)
{
	must(pipe2(o->fd, O_DIRECT | O_NONBLOCK));
	stream_put(o->fd[1], 10, o->seed);
	stream_put(o->fd[1], 1000, o->seed + 1);
}

static void check_packets(struct object *o)
{
	char buf[4096];

	check(read(o->fd[0], buf, sizeof(buf)) == 10 && pattern_ok(buf, 10, o->seed));
	check(read(o->fd[0], buf, sizeof(buf)) == 1000 && pattern_ok(buf, 1000, o->seed + 1));
	check(read(o->fd[0], buf, 1) < 0 && errno == EAGAIN && fcntl(o->fd[1], F_GETFL) & O_DIRECT);
}

static void make_pipe_closed(struct object *o)
{
	int fd[2];

	must(pipe(fd));
	stream_put(fd[1], LEN, o->seed);
	must(close(fd[1]));
	o->fd[0] = fd[0];
}

static void check_pipe_closed(struct object *o)
{
	stream_expect(o->fd[0], LEN, o->seed);
	check(read(o->fd[0], &(char){0}, 1) == 0);
}

static void make_deleted_fifo(struct object *o)
{
	must(mkfifo(o->name, 0600));
	o->fd[0] = must(open(o->name, O_RDWR));
	o->fd[1] = must(open(o->name, O_RDONLY | O_NONBLOCK));
	stream_put(o->fd[0], 200, o->seed);
	must(unlink(o->name));
}

static void check_deleted_fifo(struct object *o)
{
	stream_expect(o->fd[1], 200, o->seed);
	check(read(o->fd[1], &(char){0}, 1) < 0 && errno == EAGAIN);
	check(access(o->name, F_OK) < 0);
}

static void make_fifo(struct object *o)
{
	must(mkfifo(o->name, 0600));
	o->fd[0] = must(open(o->name, O_RDWR));
	o->fd[1] = must(open(o->name, O_WRONLY));
	o->fd[2] = must(open(o->name, O_RDONLY | O_NONBLOCK));
	stream_put(o->fd[1], LEN, o->seed);
}

static void check_fifo(struct object *o)
{
	stream_expect(o->fd[2], LEN, o->seed);
	check(read(o->fd[2], &(char){0}, 1) < 0 && errno == EAGAIN);
	stream_put(o->fd[0], 10, 1);
	stream_expect(o->fd[2], 10, 1);
}

static void make_memfd(struct object *o)
{
	o->fd[0] = must(memfd_create("memory", MFD_ALLOW_SEALING));
	stream_put(o->fd[0], LEN, o->seed);
	must(ftruncate(o->fd[0], 1 << 20));
	must(lseek(o->fd[0], 100 + (off_t)o->seed, SEEK_SET));
}

static void make_memfd_sealed(struct object *o)
{
	make_memfd(o);
	must(fcntl(o->fd[0], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
}

static void check_memfd_sealed(struct object *o)
{
	check(fcntl(o->fd[0], F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
	check(ftruncate(o->fd[0], 10) < 0 && errno == EPERM);
	check_regular(o);
}

static void make_proc(struct object *o)
{
	o->fd[0] = must(open("/proc/self/status", O_RDONLY));
	o->fd[1] = must(open("/proc/self", O_RDONLY | O_DIRECTORY));
	o->fd[2] = must(open("/proc/sys/kernel/ostype", O_RDONLY));
	must_true(read(o->fd[2], &(char){0}, 1) == 1);
	o->note[0] = getpid();
}

static void check_proc(struct object *o)
{
	char text[32] = "", name[16];

	check(read(o->fd[0], text, 5) == 5 && !memcmp(text, "Name:", 5));
	check(readlinkat(AT_FDCWD, "/proc/self", name, sizeof(name)) > 0 &&
	      !faccessat(o->fd[1], "maps", F_OK, 0));
	check(read(o->fd[2], text, 5) == 5 && !memcmp(text, "inux\n", 5), "%s", text);
}

static void make_pty(struct object *o)
{
	struct winsize size = {.ws_row = 33, .ws_col = 77 + (unsigned short)o->seed};
	struct termios raw;

	o->fd[0] = must(posix_openpt(O_RDWR | O_NOCTTY));
	must(grantpt(o->fd[0]) | unlockpt(o->fd[0]));
	o->fd[1] = must(open(must_ptr(ptsname(o->fd[0])), O_RDWR | O_NOCTTY));
	must(tcgetattr(o->fd[1], &raw));
	cfmakeraw(&raw);
	must(tcsetattr(o->fd[1], TCSANOW, &raw));
	must(ioctl(o->fd[0], TIOCSWINSZ, &size));
}

static void check_pty(struct object *o)
{
	struct winsize size;
	struct termios now;

	check(!ioctl(o->fd[1], TIOCGWINSZ, &size) && size.ws_row == 33 &&
	      size.ws_col == 77 + o->seed);
	check(!tcgetattr(o->fd[1], &now) && !(now.c_lflag & (ICANON | ECHO)));
	stream_put(o->fd[0], 20, o->seed);
	stream_expect(o->fd[1], 20, o->seed);
}

static void make_pty_lines(struct object *o)
{
	int n = 0;

	o->fd[0] = must(posix_openpt(O_RDWR | O_NOCTTY));
	must(unlockpt(o->fd[0]));
	o->fd[1] = must(open(must_ptr(ptsname(o->fd[0])), O_RDWR | O_NOCTTY));
	must_true(write(o->fd[0], "line\nrest", 9) == 9);
	while (n < 10) /* the echo comes back with the newline as two bytes */
		must(ioctl(o->fd[0], FIONREAD, &n));
}

static void check_pty_lines(struct object *o)
{
	char text[16] = "";

	check(read(o->fd[1], text, 15) == 5 && !memcmp(text, "line\n", 5), "%s", text);
	check(read(o->fd[0], text, 15) == 10 && !memcmp(text, "line\r\nrest", 10), "%s", text);
	check(write(o->fd[0], "!\n", 2) == 2);
	check(read(o->fd[1], text, 15) == 6 && !memcmp(text, "rest!\n", 6), "%s", text);
}

static void make_pty_hung(struct object *o)
{
	int master = must(posix_openpt(O_RDWR | O_NOCTTY));

	must(unlockpt(master));
	o->fd[0] = must(open(must_ptr(ptsname(master)), O_RDWR | O_NOCTTY));
	must(close(master));
}

static void check_pty_hung(struct object *o)
{
	char c;

	check(read(o->fd[0], &c, 1) == 0 && write(o->fd[0], "x", 1) < 0 && errno == EIO);
}

static void make_flock(struct object *o)
{
	make_regular(o);
	must(flock(o->fd[0], LOCK_EX));
	o->fd[1] = must(open(o->name, O_RDONLY));
}

static void check_flock(struct object *o)
{
	check(flock(o->fd[1], LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK);
	check(!flock(o->fd[0], LOCK_UN) && !flock(o->fd[1], LOCK_SH | LOCK_NB));
}

static void make_ofd_lock(struct object *o)
{
	struct flock lock = {.l_type = F_WRLCK, .l_start = 10, .l_len = 20};

	make_regular(o);
	must(fcntl(o->fd[0], F_OFD_SETLK, &lock));
	o->fd[1] = must(open(o->name, O_RDWR));
}

static void check_ofd_lock(struct object *o)
{
	struct flock lock = {.l_type = F_WRLCK, .l_start = 0, .l_len = 100};

	check(!fcntl(o->fd[1], F_OFD_GETLK, &lock));
	check(lock.l_type == F_WRLCK && lock.l_start == 10 && lock.l_len == 20 && lock.l_pid == -1,
	      "type %d %ld+%ld", lock.l_type, lock.l_start, lock.l_len);
}

const struct factory file_factories[] = {
	{"regular", make_regular, check_named, NULL},
	{"deleted", make_deleted, check_deleted, NULL},
	{"tmpfile", make_tmpfile, check_regular, NULL},
	{"append", make_append, check_append, NULL},
	{"directory", make_directory, check_directory, NULL},
	{"directory-removed", make_removed_directory, check_removed_directory, NULL},
	{"namespace", make_namespace, check_namespace, NULL},
	{"opath", make_opath, check_opath, NULL},
	{"opath-symlink", make_symlink, check_symlink, NULL},
	{"devices", make_devices, check_devices, NULL},
	{"pipe", make_pipe, check_pipe, NULL},
	{"pipe-full", make_pipe_full, check_pipe_full, NULL},
	{"pipe-packets", make_packets, check_packets, NULL},
	{"pipe-closed", make_pipe_closed, check_pipe_closed, NULL},
	{"fifo-deleted", make_deleted_fifo, check_deleted_fifo, NULL},
	{"fifo", make_fifo, check_fifo, NULL},
	{"memfd", make_memfd, check_regular, NULL},
	{"memfd-sealed", make_memfd_sealed, check_memfd_sealed, NULL},
	{"proc", make_proc, check_proc, NULL},
	{"pty", make_pty, check_pty, NULL},
	{"pty-lines", make_pty_lines, check_pty_lines, NULL},
	{"pty-hung-up", make_pty_hung, check_pty_hung, NULL},
	{"flock", make_flock, check_flock, NULL},
	{"ofd-lock", make_ofd_lock, check_ofd_lock, NULL},
	{0},
};
