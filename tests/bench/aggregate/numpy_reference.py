#!/usr/bin/python3
"""Times of the same aggregations in plain NumPy, one "name milliseconds" a line.

Processor time, best of several runs, on data already in memory: what a server written in NumPy would
spend, with one thread like the other side. The first line names the BLAS library that NumPy has found.
bench_aggregate runs this beside its own measurement and prints the ratios.
"""
import os
import re
import sys
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when NumPy loads the library
import numpy as np  # noqa: E402


def best_ms(work, runs):
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def blas():
    with open("/proc/self/maps", encoding="utf-8") as maps:
        names = set(re.findall(r"/(lib\w*blas)[\w.-]*\.so", maps.read()))
    return "libopenblas" if "libopenblas" in names else "libblas" if "libblas" in names else "none"


def trimmed_mean(m, drop):
    return np.sort(m, axis=0)[drop:-drop].mean(axis=0)


def krum(m, attackers):
    gram = m @ m.T
    squares = np.diag(gram)
    distances = squares[:, None] + squares[None, :] - 2 * gram
    np.fill_diagonal(distances, np.inf)
    nearest = len(m) - attackers - 2
    scores = np.sort(distances, axis=1)[:, :nearest].sum(axis=1)
    return m[scores.argmin()]


def main():
    print(blas(), 0, flush=True)
    random = np.random.default_rng(1)
    big = random.standard_normal((100, 1_000_000), dtype=np.float32) * np.float32(0.01)
    weights = np.full(100, 0.01, dtype=np.float32)
    print("weighted_sum", best_ms(lambda: weights @ big, 7), flush=True)
    small = np.ascontiguousarray(big[:, :100_000])
    del big
    print("median", best_ms(lambda: np.median(small, axis=0), 5), flush=True)
    print("trimmed", best_ms(lambda: trimmed_mean(small, 20), 5), flush=True)
    print("krum", best_ms(lambda: krum(small, 20), 5), flush=True)


if __name__ == "__main__":
    sys.exit(main())
