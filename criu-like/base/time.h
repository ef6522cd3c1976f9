#pragma once
#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t time_now_ns(void);
