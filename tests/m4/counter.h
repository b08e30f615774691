/*
 * Instructions executed. On the emulated M4 SysTick counts 25 MHz of a virtual time in which each
 * instruction takes 1 ns (-icount shift=0): 40 instructions a tick. Elsewhere there is nothing to count.
 */
#ifndef MYCEL_TESTS_M4_COUNTER_H
#define MYCEL_TESTS_M4_COUNTER_H

#include <stdint.h>

#define COUNTER_INSTRUCTIONS_PER_TICK 40u
#define COUNTER_MASK 0xFFFFFFu

#ifdef __arm__
#define SYSTICK ((volatile uint32_t *)0xE000E010u)

static inline void counter_start(void)
{
    SYSTICK[1] = COUNTER_MASK; /* reload */
    SYSTICK[2] = 0;            /* current */
    SYSTICK[0] = 5;            /* enable, processor clock */
}

static inline uint32_t counter_read(void)
{
    return COUNTER_MASK - SYSTICK[2];
}
#else
static inline void counter_start(void)
{
}

static inline uint32_t counter_read(void)
{
    return 0;
}
#endif

#endif
