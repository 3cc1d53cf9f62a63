/* check.c: what is done when a generated function is called wrongly.
 *
 * In a file of its own, so that a program that defines nn_misused itself gets neither this one nor stdio
 * out of libnn.a. */
#include "nn.h"

#if !defined(__STDC_HOSTED__) || __STDC_HOSTED__

#include <stdio.h>
#include <stdlib.h>

void nn_misused(const char *function, const char *message)
{
    fprintf(stderr, "%s: %s\n", function, message);
    abort();
}

#else

/* Without an operating system nobody can be told: a debugger finds the processor here. */
void nn_misused(const char *function, const char *message)
{
    (void)function, (void)message;
    for (;;)
        ;
}

#endif
