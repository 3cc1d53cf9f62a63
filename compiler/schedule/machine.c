/* machine.c: what is known of each target. */
#include "schedule/schedule.h"

const Target targets[NTARGETS] = {
    [TARGET_GENERIC] = {"generic", 8, 16, "-O2 -march=native", 0, 0, 0},
    [TARGET_SCALAR] = {"scalar", 1, 16, "-std=c99 -O2", 0, 0, 0},
    [TARGET_AVX2] = {"avx2", 8, 16, "-O2 -mavx2 -mfma", 0, 0, 0},
    [TARGET_AVX512] = {"avx512", 16, 32, "-O2 -march=x86-64-v4", 0, 0, 0},
    [TARGET_NEON] = {"neon", 4, 32, "-O2", 0, 0, 0},
};
