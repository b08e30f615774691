/*
 * Instructions executed. On the emulated M4 SysTick counts 25 MHz of a virtual time in which each
 * instruction takes 1 ns (-icount shift=0): 40 instructions a tick. Elsewhere there is nothing to count.
 */
#ifndef MYCEL_TESTS_M4_COUNTER_H
#define MYCEL_TESTS_M4_COUNTER_H

#include <stdint.h>

#define COUNTER_INSTRUCTIONS_PER_TICK 40u
#define COUNTER_MASK 0xFFFFFFu

/* What the stack grows over is painted first and looked at afterwards. */
#define STACK_PAINT 0xA5A5A5A5u
#define STACK_MARGIN_WORDS 32 /* below the painter's own frame */

#ifdef __arm__
extern uint32_t bss_end;

static inline void stack_paint(void)
{
    uint32_t *here;
    __asm volatile("mov %0, sp" : "=r"(here));
    for (uint32_t *word = &bss_end; word < here - STACK_MARGIN_WORDS; word++) {
        *word = STACK_PAINT;
    }
}

/* Bytes between `top` and the deepest word that was written since. */
static inline uint32_t stack_used(const void *top)
{
    const uint32_t *word = &bss_end;
    while (*word == STACK_PAINT) {
        word++;
    }
    return (uint32_t)((const char *)top - (const char *)word);
}

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
static inline void stack_paint(void)
{
}

static inline uint32_t stack_used(const void *top)
{
    (void)top;
    return 0;
}

static inline void counter_start(void)
{
}

static inline uint32_t counter_read(void)
{
    return 0;
}
#endif

#endif
