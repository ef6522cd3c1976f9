/*
 * Descriptors that cannot be saved, given up by the operator: a userfaultfd with watched memory is
 * closed, a performance counter becomes /dev/null; everything else is as it was, also the epoll
 * set that watched one of them.
 */
/* harness: moves modes=restore,again dump=--fd-p=userfaultfd=close dump=--fd-p=perf_event=null */
#include "test.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int main(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr),
				       .config = PERF_COUNT_SW_TASK_CLOCK};
	char *memory = must_ptr(mmap(NULL, 8192, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.range = {(uintptr_t)memory, 8192},
					.mode = UFFDIO_REGISTER_MODE_MISSING};
	int watcher = (int)syscall(SYS_userfaultfd, O_NONBLOCK | UFFD_USER_MODE_ONLY);
	int counter = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	int set = must(epoll_create1(0)), event = must(eventfd(1, 0));
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = 5};
	struct stat st;

	if (watcher < 0 || counter < 0)
		skip("no userfaultfd or no counters: %s", strerror(errno));
	memory[0] = 'm';
	must(ioctl(watcher, UFFDIO_API, &api));
	must(ioctl(watcher, UFFDIO_REGISTER, &range));
	must(epoll_ctl(set, EPOLL_CTL_ADD, event, &e));
	must(epoll_ctl(set, EPOLL_CTL_ADD, watcher, &e));
	checkpoint();
	check(fcntl(watcher, F_GETFD) < 0 && errno == EBADF);
	check(memory[0] == 'm' && !memory[4096]);
	check(!fstat(counter, &st) && S_ISCHR(st.st_mode) && st.st_rdev == 0x103);
	check((fcntl(counter, F_GETFL) & O_ACCMODE) == O_RDWR);
	check(epoll_wait(set, &e, 1, 0) == 1 && e.data.u64 == 5);
	return test_end();
}
