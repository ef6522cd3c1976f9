/*
 * Timers as descriptors.
 *
 * A periodic timer whose tick nobody has read is not armed in the kernel and fdinfo shows no
 * remaining time; timerfd_gettime(2) brings it up to date, so that comes first. A timer set to a
 * time of day or of a clock keeps that time, all others what was left. Arming is the very last step
 * of a restore; ticks are set behind it (TFD_IOC_SET_TICKS), because arming clears them. A pending
 * ECANCELED of TFD_TIMER_CANCEL_ON_SET is lost.
 */
#include "timerfd.pb-c.h"

#include <sys/ioctl.h>
#include <sys/timerfd.h>

#include "base/err.h"
#include "core/file/file.h"
#include "core/prog.h"
#include "kernel/descriptor.h"

#define TFD_IOC_SET_TICKS_NR _IOW('T', 0, uint64_t)
static const uint64_t second_ns = 1000000000;

static bool match(struct dump *d, struct fd_probe *p)
{
	return fd_is_anon(d, p, "[timerfd]");
}

static uint64_t to_ns(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * second_ns + (uint64_t)t->tv_nsec;
}

static struct timespec from_ns(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / second_ns), (long)(ns % second_ns) };
}

/* The alarm clocks show the time of their plain namesakes. */
static clockid_t readable(int32_t clock)
{
	return clock == CLOCK_REALTIME_ALARM   ? CLOCK_REALTIME
	       : clock == CLOCK_BOOTTIME_ALARM ? CLOCK_BOOTTIME
					       : clock;
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	Timerfd *m = msg;
	struct fdinfo_timerfd info;
	struct itimerspec left;
	struct timespec now;
	int r = (int)sys(SYS_timerfd_gettime, p->fd, &left);

	if (r)
		return fail(r, "descriptor %d: ask for the remaining time", p->number);
	r = fd_info_again(d, p);
	if (!r)
		r = fdinfo_timerfd(&p->info, &info);
	if (!r)
		r = (int)sys(SYS_clock_gettime, readable(info.clockid), &now);
	if (r)
		return fail(r, "descriptor %d: the timer cannot be read", p->number);
	m->clock = info.clockid;
	m->settime_flags = info.settime_flags;
	m->ticks = info.ticks;
	m->interval_ns = to_ns(&left.it_interval);
	m->value_ns = to_ns(&left.it_value);
	if (m->value_ns && m->settime_flags & TFD_TIMER_ABSTIME)
		m->value_ns += to_ns(&now);
	return 0;
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	const Timerfd *m = obj->msg;
	int flags = TFD_CLOEXEC | (obj->ofd->flags & O_NONBLOCK ? TFD_NONBLOCK : 0);
	int fd = (int)sys(SYS_timerfd_create, m->clock, flags);

	(void)o;
	return fd < 0 ? fail(fd, "make a timer of clock %d", m->clock) : fd;
}

static int stage(struct prog *p, const struct stage_at *at, const struct fd_obj *obj, int number)
{
	const Timerfd *m = obj->msg;
	const struct itimerspec value = { from_ns(m->interval_ns), from_ns(m->value_ns) };

	if (at->stage != STAGE_ARM)
		return 0;
	prog_where(p, "arm the timer at descriptor %d", number);
	prog_call(p, SYS_timerfd_settime, number, m->settime_flags,
		  prog_in(p, &value, sizeof(value)), 0);
	if (m->ticks)
		prog_call(p, SYS_ioctl, number, TFD_IOC_SET_TICKS_NR,
			  prog_in(p, &m->ticks, sizeof(m->ticks)));
	return 0;
}

const struct fd_kind kind_timerfd = { .name = "timerfd",
				      .alone = true,
				      .descriptor = &timerfd__descriptor,
				      .match = match,
				      .dump = dump,
				      .open = open_fd,
				      .stage = stage };
