#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Messages for people and machines. The sink is the one mutable global that every process of the
 * tool may use (it survives fork). log_scope("task %d", pid) prefixes all messages until the
 * enclosing block ends.
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* Lines of processes that have no descriptor of ours any more: shared memory, written out by
 * another. */
struct log_buffer {
	uint32_t size, used;
	char text[];
};

struct log_config {
	int fd;                 /* where messages go; -1: stderr */
	enum log_level level;   /* messages above it are dropped */
	enum log_format format;
	unsigned int errors; /* lines written */
	bool errors_on_stderr;  /* errors are repeated on stderr when fd is a file */
	const char
		*error_mark; /* put before each error: "error: ", or "Error " under the name criu */
};

void log_setup(const struct log_config *c);
/* From here on this process puts its lines into the buffer (NULL: to the descriptor again). */
void log_to_buffer(struct log_buffer *b);
/* Writes out what others put there, and empties it. */
void log_flush_buffer(struct log_buffer *b);
/* Error lines written so far by this process. */
unsigned int log_errors(void);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vwrite(enum log_level level, const char *fmt, va_list ap);

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) (log_enabled(LOG_DEBUG) ? log_write(LOG_DEBUG, __VA_ARGS__) : (void)0)

struct log_scope {
	struct log_scope *outer;
	char text[48];
};
void log_scope_push(struct log_scope *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void log_scope_pop(struct log_scope *s);

#define LOG_CAT2(a, b) a##b
#define LOG_CAT(a, b) LOG_CAT2(a, b)
#define log_scope(...)                                                                             \
	__attribute__((cleanup(log_scope_pop))) struct log_scope LOG_CAT(log_scope_, __LINE__);    \
	log_scope_push(&LOG_CAT(log_scope_, __LINE__), __VA_ARGS__)
