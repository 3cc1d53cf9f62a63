#!/bin/sh
# mnist.sh FOLDER: how long it takes from MNIST's four .gz files, which lie in FOLDER, to a network of about 98 %, 99.0 % and
# 99.4 %, by the program of --main and by PyTorch with the same network and recipe, the start of the program and the test after
# the last epoch included. The recipes are fixed beforehand: what a seed reaches is printed, not chosen.
#
#     SEEDS="1 2 3 4 5" THREADS=1 RECIPES="98 99.0 99.4" TORCH=python3 sh tests/bench/mnist.sh FOLDER
#
# Run it at the root, after make. TORCH= leaves PyTorch out.
set -e
data=${1:?name the folder that has train-images-idx3-ubyte.gz}
work=build/bench/mnist
mkdir -p $work

# The network, then the options: epochs, batch and learning rate of a one-cycle schedule with Adam.
recipe() {
    case $1 in
    98)   network="input 784; batch 64; fc 128; relu; fc 10; softmax"; epochs=5 batch=64 lr=0.004 ;;
    99.0) network="input 1x28x28; batch 64; conv 8 k5; relu; maxpool 2; conv 16 k5; relu; maxpool 2; fc 10; softmax"
          epochs=4 batch=64 lr=0.01 ;;
    99.4) network="input 1x28x28; batch 64; conv 32 k5; relu; maxpool 2; conv 64 k5; relu; maxpool 2; dropout 0.5; fc 128; relu; \
dropout 0.5; fc 10; softmax"; epochs=12 batch=64 lr=0.003 ;;
    *)    echo "no recipe $1: 98, 99.0 or 99.4" >&2; exit 2 ;;
    esac
}

seconds() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b - a }'; }

printf '%-8s %-6s %-8s %10s %9s\n' recipe seed by seconds accuracy
for r in ${RECIPES:-98 99.0 99.4}; do
    recipe $r
    echo "$network" | build/nnc --main --prefix=mnist -o $work/mnist.c -
    ${CC:-cc} -O2 -march=native -Iruntime $work/mnist.c -Lbuild -lnnkit -lnn -lpng -ljpeg -lz -lm -lpthread -o $work/mnist
    for seed in ${SEEDS:-1 2 3 4 5}; do
        begin=$(date +%s.%N)
        $work/mnist train "$data/train-images-idx3-ubyte.gz" --epochs $epochs --batch $batch --lr $lr --schedule onecycle \
            --shard 64 --threads ${THREADS:-1} --seed $seed --quiet -o $work/mnist.safetensors
        right=$($work/mnist eval "$data/t10k-images-idx3-ubyte.gz" --threads ${THREADS:-1} --weights $work/mnist.safetensors |
            sed -n '1s/.* \([0-9.]*\) % right.*/\1/p')
        printf '%-8s %-6s %-8s %10s %8s%%\n' $r $seed nnc "$(seconds $begin "$(date +%s.%N)")" "$right"
        [ -n "${TORCH-python3}" ] || continue
        begin=$(date +%s.%N)
        right=$(${TORCH-python3} tests/bench/torch_mnist.py "$data" $r $epochs $batch $lr $seed ${THREADS:-1})
        printf '%-8s %-6s %-8s %10s %8s%%\n' $r $seed PyTorch "$(seconds $begin "$(date +%s.%N)")" "$right"
    done
done
