/* networks.h: texts as the compiler understands them, for tests that call its stages instead of running it.
 *
 *     add_suite("mine", networks_start, networks_end, tests);
 *     const Net *net = network_of("input 2; fc 3; softmax", &options);
 *     ...
 *     free_all(); */
#ifndef NETWORKS_H
#define NETWORKS_H

#include "back/back.h"

/* The network of a text, which has passed the verifiers; NULL: it is refused. Lives until free_all. */
Net *network_of(const char *text, const Options *);

/* What the compiler said of the last text. */
const char *network_messages(void);

/* Where a suite starts and ends: meanwhile messages are kept, not shown. 0: done. */
int networks_start(void);
int networks_end(void);

#endif
