/*
 * Sealed memfds: what can be written no more is mapped nevertheless; a seal for future writers
 * leaves the mapping that was there before; a program that may not be made executable.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8
#endif

enum { PAGE = 4096, LEN = 8 * PAGE };

static int make(const char *name, unsigned int flags)
{
	int fd = must(memfd_create(name, flags));

	must(ftruncate(fd, LEN));
	must(pwrite(fd, name, strlen(name) + 1, PAGE));
	return fd;
}

static char *map(int fd, int prot, int flags)
{
	return mmap(NULL, LEN, prot, flags, fd, 0);
}

int main(void)
{
	int frozen = make("frozen", MFD_ALLOW_SEALING), future = make("future", MFD_ALLOW_SEALING);
	int plain = make("plain", 0), data = memfd_create("data", MFD_NOEXEC_SEAL);
	char *private, *writer, *reader;
	struct stat st;

	must(fcntl(frozen, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SEAL));
	private = must_ptr(map(frozen, PROT_READ | PROT_WRITE, MAP_PRIVATE));
	pattern_fill(private, PAGE, 5);
	writer = must_ptr(map(future, PROT_READ | PROT_WRITE, MAP_SHARED));
	must(fcntl(future, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK));
	checkpoint();
	check(fcntl(frozen, F_GET_SEALS) == (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SEAL));
	check(map(frozen, PROT_READ | PROT_WRITE, MAP_SHARED) == MAP_FAILED && errno == EPERM);
	check(pattern_ok(private, PAGE, 5) && !strcmp(private + PAGE, "frozen"));
	check(map(frozen, PROT_READ | PROT_WRITE, MAP_PRIVATE) != MAP_FAILED);
	check(write(frozen, "x", 1) < 0 && errno == EPERM);
	check(fcntl(future, F_GET_SEALS) == (F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK));
	check(write(future, "x", 1) < 0 && errno == EPERM);
	reader = map(future, PROT_READ, MAP_SHARED);
	strcpy(writer + PAGE, "written");
	check(reader != MAP_FAILED && !strcmp(reader + PAGE, "written"));
	check(fcntl(plain, F_GET_SEALS) == F_SEAL_SEAL);
	check(data < 0 || fcntl(data, F_GET_SEALS) == F_SEAL_EXEC);
	check(data < 0 || (!fstat(data, &st) && (st.st_mode & 07777) == 0666));
	return test_end();
}
