/*
 * One line per message, written with a single write(2) so that lines of several processes do not
 * mix. Text: "error: task 12: what failed 'subject': Reason". JSON: one object per line with time,
 * level, pid, scope and message.
 */
#include "log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "str.h"

static struct log_config sink = { .fd = -1, .level = LOG_WARN, .error_mark = "error: " };
static struct log_scope *scopes;
static struct log_buffer *buffer;

static const char *const level_name[] = { "error", "warning", "info", "debug" };

void log_setup(const struct log_config *c)
{
	sink = *c;
	if (!sink.error_mark)
		sink.error_mark = "error: ";
}

void log_to_buffer(struct log_buffer *b)
{
	buffer = b;
}

/* A line that does not fit is lost; the first failure is what matters and comes early. */
static void buffer_line(const char *line, size_t len)
{
	uint32_t at = __atomic_fetch_add(&buffer->used, (uint32_t)len, __ATOMIC_ACQ_REL);

	if (at + len <= buffer->size)
		memcpy(buffer->text + at, line, len);
}

static void emit(enum log_level level, const char *line, size_t len)
{
	int fd = sink.fd < 0 ? STDERR_FILENO : sink.fd;

	sink.errors += level == LOG_ERROR;
	(void)!write(fd, line, len); /* a full or closed log must not fail the operation */
	if (level == LOG_ERROR && sink.errors_on_stderr && fd != STDERR_FILENO)
		(void)!write(STDERR_FILENO, line, len); /* as above */
}

void log_flush_buffer(struct log_buffer *b)
{
	uint32_t used = __atomic_exchange_n(&b->used, 0, __ATOMIC_ACQ_REL);
	char *line = b->text, *end = b->text + (used < b->size ? used : b->size);

	while (line < end) {
		char *next = memchr(line, '\n', (size_t)(end - line));
		size_t len = next ? (size_t)(next - line) + 1 : (size_t)(end - line);
		bool error = !strncmp(line, sink.error_mark, strlen(sink.error_mark)) ||
			     memmem(line, len, "\"level\":\"error\"", 15);

		emit(error ? LOG_ERROR : LOG_INFO, line, len);
		line += len;
	}
}

unsigned int log_errors(void)
{
	return sink.errors;
}

bool log_enabled(enum log_level level)
{
	return level <= sink.level;
}

void log_scope_push(struct log_scope *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(s->text, sizeof(s->text), fmt, ap);
	va_end(ap);
	s->outer = scopes;
	scopes = s;
}

void log_scope_pop(struct log_scope *s)
{
	scopes = s->outer;
}

static size_t scope_text(const struct log_scope *s, char *buf, size_t size)
{
	size_t n = s->outer ? scope_text(s->outer, buf, size) : 0;
	int k = snprintf(buf + n, size - n, "%s: ", s->text);

	return k < 0 || (size_t)k >= size - n ? n : n + (size_t)k;
}

static size_t format_text(enum log_level level, const char *message, char *line, size_t size)
{
	char scope[256] = "";
	int n;

	if (scopes)
		(void)scope_text(scopes, scope, sizeof(scope));
	n = snprintf(line, size, "%s%s%s\n",
		     level == LOG_ERROR ? sink.error_mark : level == LOG_WARN ? "warning: " : "",
		     scope, message);
	return n < 0 ? 0 : (size_t)n >= size ? size - 1 : (size_t)n;
}

static size_t format_json(enum log_level level, const char *message, char *line, size_t size)
{
	char scope[256] = "", scope_json[600], message_json[3000];
	struct timespec now;
	int n;

	if (scopes) {
		size_t len = scope_text(scopes, scope, sizeof(scope));

		scope[len >= 2 ? len - 2 : 0] = 0;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now);
	str_json(scope, scope_json, sizeof(scope_json));
	str_json(message, message_json, sizeof(message_json));
	n = snprintf(
		line, size,
		"{\"time\":%lld.%06ld,\"level\":\"%s\",\"pid\":%d,\"scope\":%s,\"message\":%s}\n",
		(long long)now.tv_sec, now.tv_nsec / 1000, level_name[level], getpid(), scope_json,
		message_json);
	return n < 0 ? 0 : (size_t)n >= size ? size - 1 : (size_t)n;
}

void log_vwrite(enum log_level level, const char *fmt, va_list ap)
{
	char message[2048], line[4096];
	size_t len;

	if (level > sink.level)
		return;
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	len = sink.format == LOG_JSON ? format_json(level, message, line, sizeof(line))
				      : format_text(level, message, line, sizeof(line));
	if (buffer)
		buffer_line(line, len);
	else
		emit(level, line, len);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vwrite(level, fmt, ap);
	va_end(ap);
}
