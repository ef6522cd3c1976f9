/* The parser of /proc/PID/fdinfo/N. Seeds: test/unit/fixtures. */
#include "core/file/inode-find.h"
#include "core/file/ring.h"
#include "kernel/proc-fdinfo.h"
#include "proc-fuzz.h"

static void parse(struct arena *a, struct span text)
{
	struct fdinfo i = { .text = text };
	struct fdinfo_timerfd timer;
	struct fdinfo_pidfd pid;
	struct fdinfo_epoll item;
	struct fdinfo_lock lock;
	struct inode_number file;
	struct ring_info ring;
	struct span rest = text, line;
	uint64_t v;

	(void)fdinfo_parse(text, &i); /* any answer, but no bad access */
	(void)fdinfo_timerfd(&i, &timer);
	(void)fdinfo_pidfd(&i, &pid);
	(void)fdinfo_signalfd(&i, &v);
	while (fdinfo_next(&rest, "inotify", &line))
		(void)inode_number_parse(a, line, &file);
	(void)ring_info(&i, &ring);
	for (rest = text; fdinfo_epoll_next(&rest, &item);)
		;
	for (rest = text; proc_lock_next(&rest, &lock);)
		;
	while (fdinfo_lock_next(&text, &lock))
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return proc_fuzz(data, len, parse);
}
