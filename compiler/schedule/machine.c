/* machine.c: what is known of each target: one row, by which the schedule predicts and chooses.
 *
 * The numbers are those of cores with two units for vectors of multiply-adds: x86-64 since 2013, the
 * larger Arm cores. Where a row says nothing else it is what `make measure` printed on the machines named
 * at the fields (schedule.h), and what the predictions were held against there with gcc 12 -O2: an EPYC
 * (Zen 4, Zen 5) and a Xeon with AVX-512, the former also by AVX2. neon has only been run under emulation:
 * its row is that of avx2 with other vectors. */
#include "schedule/schedule.h"

/* What all rows share. */
#define CORE \
    .products = 2, .loads = 2, .issue = 4.5, .load_share = 0.08, .latency = 5.5, .looks_ahead = 200, \
    .loop_cycles = 1.5, .lanes_cycles = 10, .compare_cycles = 35, .sum_cycles = 20, .store_cycles = 8, \
    .scalar_cycles = 0.55, .first_cache = 32 << 10, .operand_bytes = 48 << 10, .second_cache = 512 << 10, \
    .ways = 8, .second_pace = 64, .far_pace = 32, .line = 64, .code_bytes = 16 << 10

const Machine machines[NTARGETS] = {
    [TARGET_GENERIC] = {"generic", "-O2 -march=native", .lanes = 8, .registers = 16, .width_cost = 1, CORE},
    [TARGET_SCALAR] = {"scalar", "-std=c99 -O2", .lanes = 1, .registers = 16, .width_cost = 1, CORE},
    [TARGET_AVX2] = {"avx2", "-O2 -mavx2 -mfma", .lanes = 8, .registers = 16, .width_cost = 1, CORE},
    [TARGET_AVX512] = {"avx512", "-O2 -march=x86-64-v4", .lanes = 16, .registers = 32, .width_cost = 1.25,
                       CORE},
    [TARGET_NEON] = {"neon", "-O2", .lanes = 4, .registers = 32, .width_cost = 1, CORE},
};
