#pragma once
#include <linux/io_uring.h>
#include <stdint.h>

#include "kernel/sys.h"

/* io_uring(7): layout of the shared memory (the same in all versions) and what headers lack. */
enum {
	URING_SQ_HEAD = 0,
	URING_SQ_TAIL = 4,
	URING_CQ_HEAD = 8,
	URING_CQ_TAIL = 12,
	URING_SQ_ENTRIES = 24,
	URING_CQ_ENTRIES = 28,
	URING_CQES = 64,
	URING_CQE_BYTES = 16,
	URING_SQE_BYTES = 64,
};
#define URING_NO_SQARRAY    (1u << 16) /* 6.6 */
#define URING_SINGLE_ISSUER (1u << 12) /* 6.0 */
#define URING_DEFER_TASKRUN (1u << 13) /* 6.1 */
#define URING_TASKRUN_FLAG  (1u << 9)
#define URING_SUBMIT_ALL    (1u << 7)
#define URING_PBUF_STATUS   26 /* 6.8 */

static inline int sys_uring_register(int fd, unsigned int op, const void *arg, unsigned int n)
{
	return (int)sys(SYS_io_uring_register, fd, op, arg, n);
}
