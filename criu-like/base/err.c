/* Reporting of failures; see err.h for the contract. */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

int fail(long r, const char *fmt, ...)
{
	char text[1800];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (r == -EINVAL || r == -EPROTO || r == -ENOTSUP || r >= 0)
		log_error("%s", text);
	else
		log_error("%s: %s", text, strerror((int)-r));
	return r < 0 ? (int)r : -EINVAL;
}

_Noreturn void bug(const char *file, int line, const char *sentence)
{
	log_error("bug in the tool at %s:%d: %s", file, line, sentence);
	_exit(1);
}
