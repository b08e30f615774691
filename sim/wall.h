/* Real time, for those who wait for a simulation; nothing in one may depend on it. */
#ifndef MYCEL_SIM_WALL_H
#define MYCEL_SIM_WALL_H

#include <time.h>

/* Seconds since some moment in the past, of a clock that is never set. */
static inline double wall_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

#endif
