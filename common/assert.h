/*
 * Assertions for programmer's errors. They stay on in release builds and need no library: a failed
 * one stops the program where it happened. Bytes from the network are never asserted on.
 */
#ifndef MYCEL_COMMON_ASSERT_H
#define MYCEL_COMMON_ASSERT_H

#define MYCEL_ASSERT(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            __builtin_trap();                                                                      \
        }                                                                                          \
    } while (0)

#endif
