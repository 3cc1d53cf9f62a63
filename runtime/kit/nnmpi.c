/* nnmpi.c: the processes of nnkit.h by MPI. A call of MPI that fails ends all processes with a message:
 * MPI_ERRORS_ARE_FATAL is what MPI begins with. */
#include "nnmpi.h"

#include <mpi.h>

#include <stdio.h>
#include <stdlib.h>

/* MPI counts by int, so what is larger goes in pieces. */
enum { PIECE = 1 << 28 };

static void *must(void *memory)
{
    if (!memory) {
        fprintf(stderr, "there is no memory left to exchange gradients; free some, or take fewer "
                        "processes\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    return memory;
}

static size_t pieces_of(size_t bytes)
{
    return (bytes + PIECE - 1) / PIECE;
}

static void exchange(const nn_processes *p, const nn_message *messages, int n)
{
    MPI_Request *requests;
    size_t all = 0;
    int used = 0;

    (void)p;
    for (int i = 0; i < n; i++)
        all += pieces_of(messages[i].bytes);
    requests = must(malloc((all + 1) * sizeof *requests));
    for (int i = 0; i < n; i++) {
        const nn_message *m = &messages[i];

        for (size_t at = 0; at < m->bytes; at += PIECE) {
            const int count = m->bytes - at < PIECE ? (int)(m->bytes - at) : PIECE;

            if (m->receive)
                MPI_Irecv((char *)m->receive + at, count, MPI_BYTE, m->other, 0, MPI_COMM_WORLD,
                          &requests[used++]);
            else
                MPI_Isend((const char *)m->send + at, count, MPI_BYTE, m->other, 0, MPI_COMM_WORLD,
                          &requests[used++]);
        }
    }
    MPI_Waitall(used, requests, MPI_STATUSES_IGNORE);
    free(requests);
}

static void gather(const nn_processes *p, void *bytes, const size_t *begin)
{
    int *counts = must(malloc((size_t)p->count * sizeof *counts)),
        *places = must(malloc((size_t)p->count * sizeof *places));

    if (begin[p->count] <= PIECE) {
        for (int i = 0; i < p->count; i++) {
            counts[i] = (int)(begin[i + 1] - begin[i]);
            places[i] = (int)begin[i];
        }
        MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, bytes, counts, places, MPI_BYTE, MPI_COMM_WORLD);
    } else
        for (int i = 0; i < p->count; i++)
            for (size_t at = begin[i]; at < begin[i + 1]; at += PIECE)
                MPI_Bcast((char *)bytes + at,
                          begin[i + 1] - at < PIECE ? (int)(begin[i + 1] - at) : PIECE, MPI_BYTE, i,
                          MPI_COMM_WORLD);
    free(counts);
    free(places);
}

static void sum(const nn_processes *p, float *v, size_t n)
{
    (void)p;
    for (size_t at = 0; at < n; at += PIECE)
        MPI_Allreduce(MPI_IN_PLACE, v + at, n - at < PIECE ? (int)(n - at) : PIECE, MPI_FLOAT, MPI_SUM,
                      MPI_COMM_WORLD);
}

nn_processes nn_mpi_processes(void)
{
    nn_processes p = {.exchange = exchange, .gather = gather, .sum = sum};

    MPI_Comm_rank(MPI_COMM_WORLD, &p.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &p.count);
    return p;
}

int nn_mpi_main(const nn_model *model, int argc, char **argv)
{
    int provided, status;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    const nn_processes processes = nn_mpi_processes();
    if (provided < MPI_THREAD_FUNNELED) {
        if (processes.rank == 0)
            fprintf(stderr, "%s: this MPI can't be used by a program with threads\n", argv[0]);
        status = 2;
    } else
        status = nn_main_of(model, &processes, argc, argv);
    MPI_Finalize();
    return status;
}
