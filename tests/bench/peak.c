/*
 * Twelve independent chains of multiply-adds keep every unit busy. Inline assembly, so that no compiler
 * can make them fewer.
 */
#include "peak.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

#define LOOPS 400000L
#define RUNS 20

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#ifdef __x86_64__

#define FUSED(r, prefix) "vfmadd213ps %%" prefix "14, %%" prefix "15, %%" prefix #r "\n"
#define TWELVE(prefix)                                                                             \
    FUSED(0, prefix)                                                                               \
    FUSED(1, prefix)                                                                               \
    FUSED(2, prefix)                                                                               \
    FUSED(3, prefix)                                                                               \
    FUSED(4, prefix)                                                                               \
    FUSED(5, prefix)                                                                               \
    FUSED(6, prefix)                                                                               \
    FUSED(7, prefix) FUSED(8, prefix) FUSED(9, prefix) FUSED(10, prefix) FUSED(11, prefix)

#define CHAINS                                                                                     \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm14", "xmm15"

static void loop_avx512(void)
{
    __asm__ volatile("vpxord %%zmm14,%%zmm14,%%zmm14\n vpxord %%zmm15,%%zmm15,%%zmm15\n" ::
                         : CHAINS);
    for (long i = 0; i < LOOPS; i++) {
        __asm__ volatile(TWELVE("zmm")::: CHAINS);
    }
    __asm__ volatile("vzeroupper");
}

static void loop_avx2(void)
{
    __asm__ volatile("vpxor %%ymm14,%%ymm14,%%ymm14\n vpxor %%ymm15,%%ymm15,%%ymm15\n" ::: CHAINS);
    for (long i = 0; i < LOOPS; i++) {
        __asm__ volatile(TWELVE("ymm")::: CHAINS);
    }
    __asm__ volatile("vzeroupper");
}

#define PAIR(a, b) "mulps %%xmm14, %%xmm" #a "\n addps %%xmm15, %%xmm" #b "\n"

static void loop_sse2(void)
{
    __asm__ volatile("xorps %%xmm14,%%xmm14\n xorps %%xmm15,%%xmm15\n" ::: CHAINS);
    for (long i = 0; i < LOOPS; i++) {
        __asm__ volatile(PAIR(0, 1) PAIR(2, 3) PAIR(4, 5) PAIR(6, 7) PAIR(8, 9) PAIR(10, 11)
                             PAIR(0, 1) PAIR(2, 3) PAIR(4, 5) PAIR(6, 7) PAIR(8, 9) PAIR(10, 11)::
                                 : CHAINS);
    }
}

double peak_gflops(const char *kernels)
{
    static const struct {
        const char *name;
        void (*loop)(void);
        double flop; /* of one loop: twelve instructions, two operations for each lane */
    } rows[] = {{"avx512", loop_avx512, 12.0 * 16 * 2},
                {"avx2", loop_avx2, 12.0 * 8 * 2},
                {"sse2", loop_sse2, 12.0 * 4 * 2},
                {"scalar", loop_sse2, 12.0 * 4 * 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].name, kernels) != 0) {
            continue;
        }
        double best = 0;
        for (int run = 0; run < RUNS; run++) {
            double start = cpu_s();
            rows[i].loop();
            double rate = rows[i].flop * LOOPS / (cpu_s() - start) * 1e-9;
            best = rate > best ? rate : best;
        }
        return best;
    }
    return 0;
}

#else

double peak_gflops(const char *kernels)
{
    (void)kernels;
    (void)cpu_s;
    return 0;
}

#endif
