/*
 * System V message queues: messages of several types in order, an empty message, a large one, a
 * size of its own, a key.
 */
/* harness: forgets */
#include "test.h"

#include <sys/msg.h>

enum { LARGE = 5000 };

struct message {
	long type;
	char text[LARGE];
};

static struct message m;

static void put(int id, long type, size_t len)
{
	m.type = type;
	pattern_fill(m.text, LARGE, (uint64_t)type);
	must(msgsnd(id, &m, len, 0));
}

static void expect(int id, long wanted, long type, size_t len)
{
	memset(m.text, 0, LARGE);
	check(msgrcv(id, &m, LARGE, wanted, IPC_NOWAIT) == (long)len, "type %ld", wanted);
	check(m.type == type && pattern_ok(m.text, len, (uint64_t)type), "type %ld", m.type);
}

int main(void)
{
	key_t key = 0x706d0000 + (getpid() & 0xffff);
	int id = must(msgget(key, IPC_CREAT | IPC_EXCL | 0640));
	struct msqid_ds s;

	must(msgctl(id, IPC_STAT, &s));
	s.msg_qbytes = 6000;
	s.msg_perm.gid = 33;
	must(msgctl(id, IPC_SET, &s));
	put(id, 7, 100);
	put(id, 3, 0);
	put(id, 7, LARGE);
	put(id, 1L << 40, 10);
	checkpoint();
	check(!msgctl(id, IPC_STAT, &s) && s.msg_qnum == 4 && s.msg_qbytes == 6000);
	check(s.msg_perm.__key == key && s.msg_perm.gid == 33);
	expect(id, 3, 3, 0);
	expect(id, 0, 7, 100);
	expect(id, -8, 7, LARGE);
	expect(id, 0, 1L << 40, 10);
	check(!msgctl(id, IPC_RMID, NULL));
	return test_end();
}
