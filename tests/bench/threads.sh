#!/bin/sh
# threads.sh: how many times as fast the program of --main trains the networks of tests/bench by as many threads as it chooses
# itself as by one. Both take turns; of each the fastest epoch counts. On a machine that does nothing else.
#
#     NETS="N0 N1 N2 N3 N4 N5 N6" ROUNDS=3 sh tests/bench/threads.sh
#
# Run it at the root, after make.
set -e
work=build/bench/threads
mkdir -p $work
echo "net      one thread, images/s      all      ratio"
for n in ${NETS:-N0 N1 N2 N3 N4 N5 N6}; do
    build/nnc --main --prefix=net -o $work/net.c tests/bench/$n.nn
    ${CC:-cc} -O2 -march=native -Iruntime $work/net.c -Lbuild -lnnkit -lnn -lpng -ljpeg -lz -lm -lpthread -o $work/net
    # Random numbers, and labels of them, for as many samples as take about a second.
    $work/net info | awk '$1 == "input" { n = split($2, d, "x"); inputs = 1; for (i = 1; i <= n; i++) inputs *= d[i] }
        $1 == "answer" { classes = $2 }
        END { samples = inputs > 2000 ? 640 : inputs > 100 ? 6400 : 64000
              for (s = 0; s < samples; s++) { for (i = 0; i < inputs; i++) printf "%.2f,", rand(); print int(rand() * classes) } }' \
        >$work/data.csv
    for round in $(seq ${ROUNDS:-3}); do
        for threads in "--threads 1" ""; do
            $work/net train $work/data.csv --epochs 3 --batch 64 --quiet $threads --log $work/log.csv -o $work/net.safetensors
            awk -F, -v kind="${threads:-all}" 'NR > 1 { print (kind == "all" ? "all" : "one"), $7 }' $work/log.csv
        done
    done | awk -v net=$n '$2 > most[$1] { most[$1] = $2 }
        END { printf "%-8s %25.0f %8.0f %10.2f\n", net, most["one"], most["all"], most["all"] / most["one"] }'
done
