/* nnmpi.h: the processes of nnkit.h by MPI: a program that `mpirun -n 4 ./net train ...` starts.
 *
 *     mpicc program.c net.c -lnnmpi -lnnkit -lnn -lpng -ljpeg -lz -lm -lpthread
 *
 * libnnmpi.a is for the MPI whose mpicc has compiled it. */
#ifndef NNMPI_H
#define NNMPI_H

#include "nnkit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The processes of MPI_COMM_WORLD, for a loop of your own: between MPI_Init_thread, with
 * MPI_THREAD_FUNNELED or more, and MPI_Finalize. The thread that has called that one makes all calls of
 * nnkit.h that take processes. */
nn_processes nn_mpi_processes(void);

/* What main() of nnc --main=mpi calls: nn_main_of between MPI_Init_thread and MPI_Finalize. */
int nn_mpi_main(const nn_model *, int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
