#pragma once
/* Small steps that the bodies about terminals share. */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

/* A new pair; *ret_slave is opened without becoming the controlling terminal. */
static inline int pair(int *ret_slave)
{
	int master = must(posix_openpt(O_RDWR | O_NOCTTY));

	must(grantpt(master) | unlockpt(master));
	*ret_slave = must(open(must_ptr(ptsname(master)), O_RDWR | O_NOCTTY));
	return master;
}

static inline void raw(int fd)
{
	struct termios t;

	must(tcgetattr(fd, &t));
	cfmakeraw(&t);
	must(tcsetattr(fd, TCSANOW, &t));
}

static inline int unread(int fd)
{
	int n = -1;

	must(ioctl(fd, FIONREAD, &n));
	return n;
}

static inline void wait_unread(int fd, int at_least)
{
	while (unread(fd) < at_least)
		must(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 1));
}

/* What one read(2) yields is this text. */
#define gives(fd, text)                                                                  \
	do {                                                                             \
		char got_[4096] = "";                                                    \
		long n_ = read(fd, got_, sizeof(got_) - 1);                              \
		check(n_ == (long)sizeof(text) - 1 && !memcmp(got_, text, sizeof(text) - 1), \
		      "%ld '%s' for '%s'", n_, got_, text);                              \
	} while (0)
