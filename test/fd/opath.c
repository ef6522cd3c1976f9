/* Places opened with O_PATH: a file, a symbolic link, one that is gone. */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

int main(void)
{
	char text[16];
	struct stat st;
	int file, link, gone;

	must(close(must(open("file", O_CREAT | O_RDWR, 0600))));
	must(symlink("nowhere", "link"));
	must(symlink("elsewhere", "gone"));
	file = must(open("file", O_PATH | O_CLOEXEC));
	link = must(open("link", O_PATH | O_NOFOLLOW));
	gone = must(open("gone", O_PATH | O_NOFOLLOW));
	must(unlink("gone"));
	checkpoint();
	check(fcntl(file, F_GETFL) & O_PATH && fcntl(file, F_GETFD) == FD_CLOEXEC);
	check(read(file, text, 1) == -1 && errno == EBADF);
	check(!fstat(link, &st) && S_ISLNK(st.st_mode) && readlinkat(link, "", text, 16) == 7);
	check(!fstat(gone, &st) && S_ISLNK(st.st_mode) && readlinkat(gone, "", text, 16) == 9);
	check(access("gone", F_OK) && access("link", F_OK) && errno == ENOENT);
	return test_end();
}
