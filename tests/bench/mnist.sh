#!/bin/sh
# mnist.sh FOLDER: how long it takes from MNIST's four .gz files, which lie in FOLDER, to a network of about 98 %, 99.0 % and
# 99.4 %, by the program of --main and by PyTorch with the same network and recipe: the start of the program, the reading of the
# files, and a test after the last epoch included. Prints what each seed reaches, then the means, as a table. The recipes are
# fixed beforehand.
#
#     SEEDS="1 2 3 4 5" THREADS="1 2" RECIPES="98 99.0 99.4" TORCH=python3 sh tests/bench/mnist.sh FOLDER
#
# Run it at the root, after make. TORCH= leaves PyTorch out.
set -e
data=${1:?name the folder that has train-images-idx3-ubyte.gz}
work=build/bench/mnist
mkdir -p $work
rm -f $work/rows

# The network, then the options: Adam with a one-cycle schedule.
recipe() {
    normal="normalize mean=0.1307 std=0.3081" loss="loss crossentropy smooth=0.05" augment=
    case $1 in
    98)   network="input 784; batch 128; $normal; fc 128; relu; fc 10; $loss"; epochs=3 batch=128 lr=0.006 ;;
    99.0) network="input 1x28x28; batch 64; $normal; conv 8 k5; relu; maxpool 2; conv 16 k5; relu; maxpool 2; fc 10; $loss"
          epochs=3 batch=64 lr=0.01 ;;
    99.4) network="input 1x28x28; batch 64; $normal; conv 32 k5; relu; maxpool 2; conv 64 k5; relu; maxpool 2; fc 128; relu; \
dropout 0.5; fc 10; $loss"; epochs=3 batch=64 lr=0.003 augment="--augment crop=1" ;;
    *)    echo "no recipe $1: 98, 99.0 or 99.4" >&2; exit 2 ;;
    esac
}

now() { date +%s.%N; }

# row BY THREADS SEED BEGIN ACCURACY
row() {
    end=$(now)
    echo "$r $1 $2 $3 $4 $end $5" | awk '{ printf "%s %s %s %s %.2f %s\n", $1, $2, $3, $4, $6 - $5, $7 }' | tee -a $work/rows
}

echo "recipe by threads seed seconds accuracy"
for r in ${RECIPES:-98 99.0 99.4}; do
    recipe $r
    echo "$network" | build/nnc --main --prefix=mnist -o $work/mnist.c -
    ${CC:-cc} -O2 -march=native -Iruntime $work/mnist.c -Lbuild -lnnkit -lnn -lpng -ljpeg -lz -lm -lpthread -o $work/mnist
    for threads in ${THREADS:-1 2}; do
        # A shard for each thread: half a batch for two, which is what one thread takes, too.
        for seed in ${SEEDS:-1 2 3 4 5}; do
            begin=$(now)
            $work/mnist train "$data/train-images-idx3-ubyte.gz" --epochs $epochs --batch $batch --lr $lr --schedule onecycle \
                $augment --shard $((batch / 2)) --threads $threads --seed $seed --quiet -o $work/mnist.safetensors
            right=$($work/mnist eval "$data/t10k-images-idx3-ubyte.gz" --threads $threads --weights $work/mnist.safetensors |
                sed -n '1s/.* \([0-9.]*\) % right.*/\1/p')
            row nnc $threads $seed $begin $right
            [ -n "${TORCH-python3}" ] || continue
            begin=$(now)
            right=$(${TORCH-python3} tests/bench/torch_mnist.py "$data" $r $epochs $batch $lr $seed $threads)
            row PyTorch $threads $seed $begin $right
        done
    done
done

echo
echo "| recipe | cores | nnc | PyTorch |"
echo "|---|---|---|---|"
awk '{ k = $1 " % | " $3; if (!(k in n)) order[++m] = k; n[k] = 1; c[k, $2]++; s[k, $2] += $5; a[k, $2] += $6 }
    function mean(k, by) { return c[k, by] ? sprintf("%.2f s, %.2f %%", s[k, by] / c[k, by], a[k, by] / c[k, by]) : "-" }
    END { for (i = 1; i <= m; i++) printf "| %s | %s | %s |\n", order[i], mean(order[i], "nnc"), mean(order[i], "PyTorch") }' $work/rows
