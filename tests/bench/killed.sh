#!/bin/sh
# killed.sh [TIMES [SEED]]: kills a training TIMES times (200) at random moments, each time goes on with --resume, with one, two
# or three threads, and sees that the weights at the end are those of a training that was left alone, to the byte. All optimizers
# take turns; a checkpoint is written after every second step, so that many kills fall into its writing.
#
# Run it at the root, after make. tests/test_kit.c does the same with few kills.
set -e
times=${1:-200} seed=${2:-1}
root=$PWD work=build/bench/killed
mkdir -p $work
cd $work
echo 'input 8; batch 32; fc 64; batchnorm; relu; dropout 0.2; fc 4; softmax' | "$root/build/nnc" --main --prefix=net -o net.c -
${CC:-cc} -O2 -march=native -I"$root/runtime" net.c -L"$root/build" -lnnkit -lnn -lpng -ljpeg -lz -lm -lpthread -o net
awk 'BEGIN { for (i = 0; i < 900; i++) { for (k = 0; k < 8; k++) { x[k] = rand(); printf "%.4f,", x[k] }
                                         print (x[0] > x[1]) + 2 * (x[2] > x[3]) } }' >points.csv

# The next number below $1, drawn by a generator of Lehmer.
draw() { seed=$((seed * 48271 % 2147483647)); drawn=$((seed % $1)); }

kills=0 runs=0 within=0
while [ $kills -lt $times ]; do
    set -- "--optimizer sgd" "--optimizer momentum --nesterov --schedule cosine" "--optimizer adagrad --warmup 20" \
        "--optimizer rmsprop --momentum 0.5 --average 0.95" "--optimizer adam --clip 0.1 --schedule onecycle" \
        "--optimizer adamw --split 0.2 --average 0.9 --augment noise=0.1"
    shift $((runs % 6))
    options=$1 last=$((kills + 25 < times ? kills + 25 : times))
    rm -f parts.checkpoint .nn_save-*
    ./net train points.csv --quiet --epochs 12 --batch 48 --shard 16 $options -o whole.safetensors
    while :; do
        again=
        [ ! -f parts.checkpoint ] || again=--resume
        draw 3
        ./net train points.csv --quiet --epochs 12 --batch 48 --shard 16 $options -o parts.safetensors \
            --checkpoint parts.checkpoint --every 2 --threads $((drawn + 1)) $again &
        process=$!
        draw 200
        if [ $kills -lt $last ]; then
            sleep 0.$(printf %03d $((drawn + 5)))
            kill -9 $process 2>kill.log || :
        fi
        status=0
        wait $process 2>wait.log || status=$?
        [ $status -ne 0 ] || break
        [ $status -eq 137 ] || { echo "killed.sh: after $kills kills the run does not go on: $options" >&2; exit 1; }
        kills=$((kills + 1))
        # a file beside the checkpoint's place: the kill fell into its writing
        for half in .nn_save-*; do [ ! -e "$half" ] || { within=$((within + 1)); rm -f "$half"; }; done
    done
    cmp whole.safetensors parts.safetensors || { echo "killed.sh: other weights: $options" >&2; exit 1; }
    runs=$((runs + 1))
done
echo "$kills kills in $runs runs, $within of them while a checkpoint was written: each run ended in the weights of one left alone"
