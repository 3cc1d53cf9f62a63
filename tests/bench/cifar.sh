#!/bin/sh
# cifar.sh FOLDER: trains tests/bench/cifar.nn on CIFAR-10 by the program of --main, and by PyTorch with the same network and
# recipe. FOLDER has train and test, each with a folder of pictures for each class. The recipe is fixed beforehand: so many
# epochs, tested after the last one.
#
#     EPOCHS=20 SEED=1 THREADS=2 TORCH=python3 sh tests/bench/cifar.sh FOLDER
#
# Run it at the root, after make. TORCH= leaves PyTorch out.
set -e
data=${1:?name the folder that has train and test}
work=build/bench/cifar epochs=${EPOCHS:-20} seed=${SEED:-1} threads=${THREADS:-2}
mkdir -p $work
build/nnc --main -o $work/cifar.c tests/bench/cifar.nn
${CC:-cc} -O2 -march=native -Iruntime $work/cifar.c -Lbuild -lnnkit -lnn -lpng -ljpeg -lz -lm -lpthread -o $work/cifar

now() { date +%s.%N; }
say() { echo "$1 $2 $(now) $3" | awk '{ printf "%s: %.0f s, %s %%\n", $1, $3 - $2, $4 }'; }

begin=$(now)
$work/cifar train "$data/train" --epochs $epochs --batch 128 --shard 32 --optimizer momentum --nesterov --lr 0.03 \
    --weight-decay 5e-4 --no-decay-on-vectors --schedule onecycle --average 0.998 --augment flip,crop=4 --seed $seed \
    --threads $threads -o $work/cifar.safetensors
right=$($work/cifar eval "$data/test" --threads $threads --weights $work/cifar.safetensors |
    sed -n '1s/.* \([0-9.]*\) % right.*/\1/p')
say nnc $begin $right
[ -n "${TORCH-python3}" ] || exit 0
begin=$(now)
right=$(${TORCH-python3} tests/bench/torch_cifar.py "$data" $epochs $seed $threads)
say PyTorch $begin $right
