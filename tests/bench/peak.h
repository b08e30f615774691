/* The core's peak rate of f32 multiply-adds, measured: what kernels are compared with. */
#ifndef MYCEL_TESTS_BENCH_NN_PEAK_H
#define MYCEL_TESTS_BENCH_NN_PEAK_H

/* Best of several runs, in GFLOP/s (a multiply-add is two), with the widest vectors of the named kernel
 * set ("avx512", "avx2", "sse2", "neon", "scalar"). The SSE2 set has no fused operation: its peak is that
 * of multiplications and additions in turn. 0: this machine cannot say. */
double peak_gflops(const char *kernels);

#endif
