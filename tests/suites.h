/* suites.h: what every suite shares with main.c.
 *
 * tests/test_X.c defines add_X_suite, which registers the suite "X" with CUnit. The Makefile makes suites.inc from
 * the names of the files, so a new file is all that a new suite takes. */
#ifndef SUITES_H
#define SUITES_H

#include <stdint.h>

#define SUITE(name) void add_##name##_suite(void);
#include "suites.inc"
#undef SUITE

/* The seed of this run: the environment's SEED, or else from the clock. It is printed at the start; the same seed
 * gives the same tests. */
uint64_t test_seed(void);

#endif
