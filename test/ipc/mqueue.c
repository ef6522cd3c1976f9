/*
 * POSIX message queues: messages by priority and in order, several descriptions in two tasks, one
 * queue removed but open, one empty and without waiting.
 */
/* harness: again=10 cycles=10 */
#include "test.h"

#include <fcntl.h>
#include <mqueue.h>
#include <time.h>

static mqd_t queue, reader, removed;
static uint32_t *turn;

static void put(mqd_t q, const char *text, unsigned int priority)
{
	must(mq_send(q, text, strlen(text), priority));
}

static void expect(mqd_t q, const char *text, unsigned int priority)
{
	char buf[64] = "";
	unsigned int p = 0;

	check(mq_receive(q, buf, sizeof(buf), &p) == (ssize_t)strlen(text), "no message");
	check(!strcmp(buf, text) && p == priority, "'%s' %u", buf, p);
}

static void child(void *arg)
{
	checkpoint_wait();
	event_wait(turn, 1);
	expect(reader, "urgent", 31);
	expect(reader, "first", 5);
	check(!mq_send(removed, "late", 4, 0));
	event_add(turn);
	(void)arg;
}

int main(void)
{
	struct mq_attr attr = {.mq_maxmsg = 6, .mq_msgsize = 64}, now;
	char name[40], other[60];
	struct timespec t;

	must(clock_gettime(CLOCK_REALTIME, &t));
	snprintf(name, sizeof(name), "/torpor-%d-%ld", getpid(), t.tv_nsec);
	snprintf(other, sizeof(other), "%s-removed", name);
	turn = shared_alloc(4096);
	queue = must(mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0640, &attr));
	reader = must(mq_open(name, O_RDONLY));
	removed = must(mq_open(other, O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
	must(mq_unlink(other));
	put(queue, "first", 5);
	put(queue, "second", 5);
	put(queue, "", 0);
	put(queue, "urgent", 31);
	put(removed, "kept", 1);
	task_run(child, NULL);
	checkpoint();
	check(!mq_getattr(queue, &now) && now.mq_maxmsg == 6 && now.mq_msgsize == 64);
	check(now.mq_curmsgs == 4 && now.mq_flags == O_NONBLOCK);
	check(!mq_getattr(reader, &now) && !now.mq_flags);
	event_add(turn);
	event_wait(turn, 2);
	expect(queue, "second", 5);
	expect(queue, "", 0);
	expect(removed, "kept", 1);
	expect(removed, "late", 0);
	check(mq_send(reader, "x", 1, 0) < 0 && errno == EBADF);
	check(mq_open(other, O_RDONLY) < 0 && errno == ENOENT);
	check(!mq_unlink(name));
	return test_end();
}
