# optimizers.gp: draws the table that optimizers.c writes.
#
#     gnuplot -c optimizers.gp TABLE PICTURE.svg

set terminal svg size 800,450 font "sans-serif,14" background "white"
set output ARG2

set title "One network, five optimizers: same first weights, same batches, same learning rate" offset 4
set xlabel "steps of 32 digits"
set ylabel "loss (cross-entropy, mean of the epoch)"
set logscale y
set xrange [0:1280]
set yrange [0.0003:3]
set ytics ("1" 1, "0.1" 0.1, "0.01" 0.01, "0.001" 0.001)
set xtics 250
set grid ytics linecolor rgb "#dddddd" linetype 1
set border 3
set tics nomirror scale 0.5
set key outside right center Left reverse spacing 1.4 samplen 2

# Okabe and Ito's colours, which colour-blind readers can tell apart.
plot for [i = 2:6] ARG1 using 1:i with lines linewidth 2.5 \
    linecolor rgb word("#000000 #e69f00 #56b4e9 #d55e00 #009e73", i - 1) \
    title word("SGD Momentum Adagrad RMSProp Adam", i - 1)
