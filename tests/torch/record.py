"""Writes kinds.ref: what PyTorch computes for every kind of layer and its odd arguments; and outside.ref: the gradients that
it computes from dy, the gradient of the answers.

    /usr/bin/python3 tests/torch/record.py          needs PyTorch; tests/test_torch.c, which reads the file, doesn't

Each case is a network small enough to be read, its weights, samples and targets (three decimals each, so that they
are short here and the same float everywhere), and PyTorch's answers. These are computed in double precision from
the weights and samples rounded to float, so that they referee float code without noise of their own. A draw of
weights under which the answers are ill-conditioned (a pixel within rounding of relu's kink, a maximum nearly tied)
is thrown away for the next: stable() below decides.

Under `train`, the same samples are shown for 20 steps: the loss before each step, and the weights after the last.
"""
import os
import sys
import torch

sys.dont_write_bytecode = True      # no __pycache__ beside the sources
import language

STEPS = 20
HEAD = """\
# Recorded by tests/torch/record.py from PyTorch %s; do not edit.
#
# y, loss, d (gradients of the mean loss) and f (weights after %d steps) are computed in double precision from the
# weights w, samples x and targets t rounded to float. Arrays are row-major, shapes are PyTorch's.
#
#   case NAME                 net TEXT                      n SAMPLES
#   w TENSOR COUNT VALUES     x COUNT VALUES                t COUNT VALUES
#   y COUNT VALUES            loss VALUE                    d TENSOR COUNT VALUES
#   evaluated VALUE           (the loss of y, as net_loss gives it)
#   s STATISTIC COUNT VALUES  (what the loss has made of it)
#   train METHOD FIELD VALUE .. end                         losses COUNT VALUES      f TENSOR COUNT VALUES
#
# A case without loss is for inference alone. Fields are those of nn_optimizer.
"""

OUTSIDE_HEAD = """\
# Recorded by tests/torch/record.py from PyTorch %s; do not edit.
#
# As kinds.ref, of networks with `loss none`. t is dy, the gradient of the answers.
#
#   trained COUNT VALUES      the answers as in training, of which dy is the gradient
#   dx COUNT VALUES           that of the samples; 0 of them with tokens
#   y COUNT VALUES            the answers of inference, where they are others
"""

CASES = [
    # name, network, samples
    # conv: sizes, strides, dilations
    ("conv", "input 3x5x5; batch 3; conv 3->2 k3", 3),
    ("conv_k1", "input 3x3x4; batch 4; conv 5 k1; tanh; conv 2 k1", 4),
    ("conv_1x1_image", "input 7x1x1; batch 2; conv 7->3 k1; softmax", 1),
    ("conv_one_channel", "input 1x1x1; batch 3; conv 1 k1", 3),
    ("conv_rectangular_kernel", "input 2x6x7; batch 2; conv 3 k3x2; sigmoid; conv 2 k1x5", 1),
    ("conv_rectangular_stride", "input 2x7x6; batch 2; conv 3 k2x3 s3x1; tanh; fc 2", 2),
    ("conv_rectangular_pad", "input 2x4x5; batch 2; conv 3 k3 p0x2", 1),
    ("conv_rectangular_dilation", "input 2x7x8; batch 2; conv 3 k3x2 d2x3; tanh; fc 3", 2),
    ("conv_everything", "input 4x9x7; batch 3; conv 4->6 k3x2 s2x3 p2x1 d1x2 g2 bias=false; tanh; fc 3; softmax", 3),
    ("conv_stride_above_kernel", "input 2x8x8; batch 3; conv 3 k2 s3; relu; fc 2", 3),
    ("conv_stride_leftover", "input 1x5x5; batch 2; conv 1->1 k2 s2 p1; tanh; fc 2", 1),
    ("conv_stride_above_size", "input 2x3x3; batch 2; conv 2 k2 s7", 2),
    ("conv_covers_input", "input 3x4x5; batch 3; conv 4 k4x5; softmax", 3),
    ("conv_covers_padded_input", "input 2x3x3; batch 2; conv 3 k5 p1; tanh; fc 2", 2),
    ("conv_pad_above_input", "input 2x2x3; batch 2; conv 2 k3 p4; tanh; conv 1 k2 s3", 2),
    ("conv_pad_same", "input 2x4x3; batch 3; conv 2 k3 p1; relu; conv 2 k5 p2; relu; conv 2 k1", 1),
    ("conv_pad_k1", "input 2x2x2; batch 2; conv 2 k1 p2; tanh; conv 2 k1 s2 p1", 2),
    ("conv_only_pad", "input 3x1x1; batch 2; conv 2 k1 s2 p1", 2),          # no tap ever meets the image
    ("conv_some_only_pad", "input 2x1x1; batch 2; conv 3 k1x3 p1 s2", 2),
    ("conv_only_pad_dilation", "input 1x1x2; batch 2; tanh; conv 2 k1x2 p0x2 d1x5; tanh; fc 2", 2),
    ("conv_dilation_pad", "input 2x5x5; batch 2; conv 3 k3 d2 p2; tanh; conv 2 k2 d4 p1", 1),
    ("conv_no_bias", "input 2x4x4; batch 2; conv 3 k3 bias=false; relu; fc 3 bias=false", 2),
    ("conv_primes", "input 3x7x11; batch 2; conv 2 k5x7 s2x3; tanh; fc 5", 2),
    ("conv_nine_channels", "input 9x1x3; batch 2; conv 17 k1x2; relu; fc 2", 2),
    ("conv_eight_channels", "input 8x2x3; batch 2; conv 8 k2; relu; conv 8 k1; relu; fc 2", 2),
    ("conv_strips", "input 2x1x9; batch 2; conv 3 k1x3 p0x1; relu; conv 2 k1x4 s1x2", 1),
    ("conv_columns", "input 2x9x1; batch 2; conv 3 k4x1 s2x1; relu; fc 2", 2),
    ("conv_named_arguments", "input 2x5x6; batch 2; a: conv 2->3 k=3x2 s=2 p=1 d=1 g=1 bias=true pad=zeros; b: fc 2", 2),
    # groups
    ("groups", "input 4x4x4; batch 2; conv 6 k3 g2", 1),
    ("groups_primes", "input 9x3x3; batch 2; conv 9->6 k2 g3; tanh; fc 2", 2),
    ("depthwise", "input 5x4x4; batch 3; conv 5 k3 p1 g5; relu; conv 3 k1; relu; globalavgpool", 3),
    ("depthwise_multiplier", "input 3x5x5; batch 2; conv 6 k3 s2 g3 bias=false; tanh; fc 2", 2),
    ("depthwise_reflect", "input 3x3x3; batch 2; conv 3 k3 p2 g3 pad=reflect; tanh; conv 2 k3 s2", 2),
    # padding modes
    ("reflect", "input 2x3x4; batch 2; conv 2 k3 p1 pad=reflect; tanh; conv 2 k3", 2),
    ("reflect_most", "input 2x3x4; batch 2; conv 2 k3 p2x3 s2 pad=reflect; tanh; fc 2", 1),
    ("reflect_stride", "input 2x5x5; batch 2; conv 3 k2x3 s3x2 p2x1 pad=reflect; tanh; fc 2", 2),
    ("reflect_one_side", "input 2x1x4; batch 2; conv 2 k1x3 p0x3 pad=reflect", 2),
    ("reflect_inside", "input 1x4x4; batch 2; conv 2 k2; tanh; conv 2 k3 p2x1 pad=reflect; tanh; fc 2", 2),
    ("replicate", "input 2x4x3; batch 2; conv 3 k3 p1 pad=replicate; tanh; conv 2 k2", 2),
    ("replicate_above_size", "input 1x2x3; batch 2; conv 2 k3 p5x4 s2 pad=replicate; tanh; fc 2", 2),
    ("replicate_inside", "input 2x4x4; batch 2; conv 2 k3; tanh; conv 3 k2 p3 s2x3 pad=replicate; tanh; fc 2", 1),
    ("replicate_one_pixel", "input 3x1x1; batch 2; conv 2 k3 p1 pad=replicate", 2),
    ("circular", "input 2x3x4; batch 2; conv 2 k3 p1 pad=circular; tanh; conv 2 k3", 2),
    ("circular_most", "input 1x3x4; batch 2; conv 2 k3 p3x4 s2x1 pad=circular; tanh; fc 2", 1),
    ("circular_dilation", "input 2x5x4; batch 2; conv 3 k3x2 d2x3 p4x2 s2x1 g1 pad=circular; tanh; fc 2", 2),
    ("circular_inside", "input 1x4x4; batch 2; conv 2 k2; tanh; conv 2 k3x2 p3x1 s2x1 pad=circular; tanh; fc 2", 2),
    # fc
    ("fc", "input 5; batch 3; fc 3", 3),
    ("fc_one_one", "input 1; batch 2; fc 1", 1),
    ("fc_declared", "input 2x3x3; batch 2; fc 18->4; tanh; fc 4->2", 2),
    ("fc_no_bias", "input 7; batch 5; fc 11 bias=false; tanh; fc 3 bias=false", 5),
    ("fc_flattens_image", "input 3x2x4; batch 3; conv 3 k1; tanh; fc 5", 3),
    ("fc_primes", "input 13; batch 7; fc 11; relu; fc 17; relu; fc 3", 7),
    ("fc_vectors", "input 16; batch 8; fc 16; relu; fc 8; relu; fc 8", 8),
    ("two_three_two", "input 2; batch 4; fc 3; sigmoid; fc 2; softmax", 4),
    # pooling
    ("maxpool", "input 2x4x6; batch 2; conv 3 k1; maxpool 2", 2),
    ("maxpool_leftover", "input 2x5x7; batch 2; conv 2 k1; maxpool 2; fc 2", 2),
    ("maxpool_overlap", "input 2x5x5; batch 2; conv 2 k1; maxpool 3 s1; fc 2", 2),
    ("maxpool_overlap_stride", "input 2x7x7; batch 2; conv 2 k1; maxpool 3 s2 p1; fc 2", 1),
    ("maxpool_rectangular", "input 2x6x6; batch 2; conv 2 k1; maxpool k3x2 s2; fc 2", 2),
    ("maxpool_gaps", "input 2x7x8; batch 2; conv 2 k1; maxpool k2 s3x5; fc 2", 2),
    ("maxpool_pad", "input 2x4x5; batch 2; conv 2 k1; maxpool k2x3 p1 s1; fc 2", 2),
    ("maxpool_pad_negative", "input 1x3x3; batch 2; conv 2 k1; sigmoid; normalize mean=5 std=1; maxpool 3 p1; fc 2", 2),
    ("maxpool_dilation", "input 2x6x7; batch 2; conv 2 k1; maxpool 2 s1 d3x2; fc 2", 2),
    ("maxpool_everything", "input 2x7x6; batch 3; conv 2 k1; maxpool k3x2 s2x1 p1x1 d2x3; fc 2", 3),
    ("maxpool_whole", "input 3x3x4; batch 2; conv 3 k1; maxpool k3x4; fc 2", 2),
    ("maxpool_k1", "input 2x4x4; batch 2; conv 2 k1; maxpool 1 s2; fc 2", 2),
    ("maxpool_ties", "input 1x6x6; batch 3; conv 2 k2; maxpool 3 s1; fc 2", 3, "whole"),
    ("maxpool_ties_pad", "input 1x4x4; batch 2; conv 2 k2; maxpool k2x3 s1x2 p1; fc 2", 2, "whole"),
    ("maxpool_ties_relu", "input 2x5x5; batch 2; conv 2 k2; relu; maxpool 2; fc 2", 2, "whole"),
    ("maxpool_after_maxpool", "input 1x6x6; batch 2; conv 2 k3 p1; relu; maxpool 2; conv 2 k3 p1; relu; maxpool 2; fc 2", 2),
    ("avgpool", "input 2x4x6; batch 2; conv 3 k1; tanh; avgpool 2", 2),
    ("avgpool_leftover", "input 2x5x7; batch 2; conv 2 k1; avgpool 2; tanh; fc 2", 2),
    ("avgpool_overlap", "input 2x5x5; batch 2; conv 2 k1; avgpool k3x2 s1x2; tanh; fc 2", 1),
    ("avgpool_gaps", "input 2x7x7; batch 2; conv 2 k1; avgpool 2 s3; tanh; fc 2", 2),
    ("avgpool_pad_counted", "input 2x5x6; batch 2; conv 2 k1; avgpool 3 p1 s2 countpad=true; tanh; fc 2", 2),
    ("avgpool_pad_default", "input 2x4x3; batch 2; conv 2 k1; avgpool k2x3 p1x0; tanh; fc 2", 2),
    ("avgpool_pad_not_counted", "input 2x5x6; batch 2; conv 2 k1; avgpool 3 p1 s2 countpad=false; tanh; fc 2", 2),
    ("avgpool_pad_uneven", "input 2x4x7; batch 2; conv 2 k1; avgpool k4x5 p2x1 s3 countpad=false; tanh; fc 2", 2),
    ("avgpool_whole", "input 3x3x4; batch 2; conv 3 k1; avgpool k3x4; fc 2", 2),
    ("globalavgpool", "input 2x3x5; batch 3; conv 4 k1; globalavgpool; softmax", 3),
    ("globalavgpool_1x1", "input 3x1x1; batch 2; conv 2 k1; globalavgpool; fc 2", 2),
    # pointwise
    ("relu", "input 6; batch 3; fc 5; relu; fc 2", 3),
    ("relu_at_zero", "input 4; batch 5; fc 6; relu; fc 2", 5, "whole"),
    ("leakyrelu", "input 6; batch 3; fc 5; leakyrelu; fc 2", 3),
    ("leakyrelu_slope", "input 2x3x3; batch 2; conv 3 k2; leakyrelu 0.3; fc 2", 2),
    ("leakyrelu_zero", "input 6; batch 2; fc 5; leakyrelu 0; fc 2", 2),
    ("leakyrelu_steep", "input 6; batch 2; fc 5; leakyrelu 1.75; fc 2", 2),
    ("leakyrelu_at_zero", "input 4; batch 4; fc 6; leakyrelu 0.125; fc 2", 4, "whole"),
    ("sigmoid", "input 2x3x3; batch 2; conv 3 k2; sigmoid; fc 2", 2),
    ("tanh", "input 6; batch 3; fc 5; tanh; fc 2", 3),
    ("saturated", "input 3; batch 3; normalize mean=0 std=0.004; fc 4; tanh; fc 3; normalize mean=0 std=0.02; sigmoid", 3),
    ("pointwise_only", "input 2x2x3; batch 2; relu; tanh; leakyrelu 0.2", 2),
    ("pointwise_twice", "input 5; batch 2; fc 4; tanh; sigmoid; leakyrelu; fc 3; tanh", 2),
    ("flatten", "input 2x3x2; batch 2; conv 3 k2; flatten; tanh; fc 2; flatten", 2),
    ("dropout_inference", "input 5; batch 3; fc 7; relu; dropout; fc 3; dropout 0.2", 3, "inference"),
    ("dropout_none", "input 2x3x3; batch 2; conv 3 k2; tanh; dropout 0; fc 2; softmax", 2),
    ("dropout_all", "input 4; batch 2; fc 5; tanh; dropout 1; fc 3; softmax", 2),
    # softmax
    ("softmax", "input 5; batch 3; fc 4; softmax", 3),
    ("softmax_channels", "input 2x3x2; batch 2; conv 4 k1; softmax", 2),
    ("softmax_inside", "input 5; batch 2; fc 4; softmax; fc 3", 2),
    ("softmax_channels_inside", "input 2x3x3; batch 2; conv 3 k2; softmax; conv 2 k2; tanh; fc 2", 2),
    ("softmax_one", "input 3; batch 2; fc 1; softmax", 2),
    ("softmax_large_logits", "input 3; batch 3; fc 4; normalize mean=0 std=0.01; softmax", 3),
    ("softmax_twice", "input 4; batch 2; fc 3; softmax; softmax", 2),
    ("softmax_primes", "input 3x3x5; batch 2; conv 11 k3; softmax", 1),
    # normalize
    ("normalize", "input 3x3x3; batch 2; normalize mean=0.485,0.456,0.406 std=0.229,0.224,0.225; conv 2 k2; tanh; fc 2", 2),
    ("normalize_one_number", "input 3x3x3; batch 2; normalize mean=0.1307 std=0.3081; conv 2 k3; softmax", 2),
    ("normalize_mixed", "input 2x3x3; batch 2; normalize mean=-0.5,1e-1 std=2; conv 2 k2; tanh; fc 2", 1),
    ("normalize_flat", "input 4; batch 2; normalize mean=0.5 std=0.25; fc 3; normalize mean=-1 std=3", 2),
    ("normalize_padded", "input 1x3x3; batch 2; normalize mean=2 std=1; conv 2 k3 p1; tanh; fc 2", 2),
    ("normalize_inside", "input 2x3x3; batch 2; conv 3 k2; normalize mean=1,2,3 std=0.5,1,2; tanh; conv 2 k2", 2),
    # losses
    ("mse_flat", "input 4; batch 3; fc 5; loss mse", 3),
    ("mse_image", "input 2x3x3; batch 2; conv 3 k2; loss mse", 2),
    ("mse_softmax", "input 4; batch 3; fc 5; softmax; loss mse", 3),
    ("mse_softmax_channels", "input 2x2x3; batch 2; conv 3 k1; softmax; loss mse", 2),
    ("mse_sigmoid", "input 4; batch 3; fc 5; sigmoid; loss mse", 3),
    ("mse_of_input", "input 3; batch 2; relu; loss mse", 2),
    ("bce_sigmoid", "input 4; batch 3; fc 5; sigmoid", 3),
    ("bce_sigmoid_image", "input 2x3x3; batch 2; conv 2 k2; sigmoid; loss bce", 2),
    ("bce_logits", "input 4; batch 3; fc 5; loss bce", 3),
    ("bce_logits_image", "input 2x3x3; batch 2; conv 2 k2; loss bce", 1),
    ("bce_logits_relu", "input 4; batch 3; fc 5; relu; loss bce", 3),
    ("bce_softmax", "input 4; batch 3; fc 5; softmax; loss bce", 3),
    ("bce_large_logits", "input 4; batch 3; fc 3; normalize mean=0 std=0.01; sigmoid; loss bce", 3),
    ("crossentropy_softmax", "input 4; batch 5; fc 3; softmax; loss crossentropy", 1),
    ("crossentropy_logits", "input 4; batch 5; fc 3; loss crossentropy", 5),
    ("crossentropy_tanh", "input 4; batch 3; fc 3; tanh; loss crossentropy", 3),
    ("crossentropy_sigmoid", "input 4; batch 3; fc 3; sigmoid; loss crossentropy", 3),
    ("crossentropy_large_logits", "input 4; batch 3; fc 3; normalize mean=0 std=0.01; loss crossentropy", 3),
    ("crossentropy_positions", "input 2x3x4; batch 2; conv 3 k2; loss crossentropy", 2),
    ("crossentropy_positions_softmax", "input 2x2x3; batch 3; conv 3 k2 p1x0; tanh; conv 5 k1; softmax", 3),
    ("crossentropy_1x1", "input 2x3x4; batch 2; conv 3 k3x4; softmax", 2),
    ("crossentropy_maxpool", "input 1x4x4; batch 2; conv 3 k1; maxpool 2; loss crossentropy", 2),
    ("crossentropy_globalavgpool", "input 1x4x4; batch 2; conv 3 k2; relu; conv 4 k2; globalavgpool; loss crossentropy", 2),
    # chains
    ("card", "input 3x8x8; batch 3; conv 3->4 k3 s2 p1; relu; maxpool 2; fc 3; softmax", 3),
    ("mobile", "input 3x5x5; batch 2; conv 4 k3 s2 p1; relu; conv 4 k3 p1 g4; relu; conv 6 k1; relu; globalavgpool; fc 3; softmax", 2),
    ("autoencoder", "input 6; batch 3; fc 3; tanh; fc 6; sigmoid; loss mse", 3),
    # a halo behind the rows alone
    ("conv_stride_one_sided", "input 2x8x8; batch 2; conv 2 k3 p1; tanh; conv 3 k3 s2 p1", 2),
    # other sizes
    ("upsample", "input 2x3x4; batch 2; conv 3 k2; upsample 2; tanh; fc 2", 2),
    ("upsample_rectangular", "input 2x2x3; batch 2; conv 2 k1; upsample 3x2; conv 2 k2", 2),
    ("upsample_channels", "input 2x3x4; batch 2; conv 11 k2; upsample 2; conv 8 k2 s2", 2),
    ("bilinear", "input 2x3x4; batch 2; conv 3 k1; upsample 2 mode=bilinear; tanh; conv 2 k3", 2),
    ("bilinear_odd", "input 2x3x2; batch 2; conv 2 k1; upsample 3 mode=bilinear; conv 2 k2 s2", 2),
    ("bilinear_rectangular", "input 1x4x3; batch 3; conv 2 k1; upsample 4x5 mode=bilinear; tanh; fc 2", 3),
    ("bilinear_one_side", "input 2x3x5; batch 2; conv 2 k1; upsample 1x2 mode=bilinear; fc 2", 2),
    ("bilinear_one_pixel", "input 3x1x1; batch 2; conv 2 k1; upsample 2 mode=bilinear; fc 2", 2),
    ("bilinear_channels", "input 2x3x3; batch 2; conv 9 k2; upsample 2 mode=bilinear; conv 8 k2", 1),
    ("adaptive", "input 2x6x8; batch 2; conv 3 k1; adaptiveavgpool 3x2; tanh; fc 2", 2),
    ("adaptive_uneven", "input 2x7x10; batch 2; conv 2 k1; adaptiveavgpool 3x4; tanh; fc 2", 2),
    ("adaptive_larger", "input 2x3x4; batch 2; conv 2 k1; adaptiveavgpool 5x6; conv 2 k2", 2),
    ("adaptive_one", "input 2x5x3; batch 2; conv 9 k1; adaptiveavgpool 1; fc 2", 2),
    ("adaptive_rows", "input 2x5x4; batch 2; conv 2 k1; adaptiveavgpool 2x4; fc 2", 1),
    ("adaptive_same", "input 2x3x4; batch 2; conv 2 k1; adaptiveavgpool 3x4; fc 2", 2),
    # norms
    ("layernorm", "input 7; batch 3; fc 5; layernorm; fc 2", 3),
    ("layernorm_image", "input 2x4x3; batch 2; conv 3 k2; layernorm; tanh; fc 2", 2),
    ("layernorm_channels", "input 2x3x4; batch 2; conv 11 k2; layernorm eps=0.01; conv 2 k1", 2),
    ("layernorm_of_input", "input 3x2x3; batch 2; layernorm; layernorm", 2),
    ("groupnorm", "input 2x4x3; batch 2; conv 6 k2; groupnorm 3; tanh; fc 2", 2),
    ("groupnorm_one", "input 2x4x3; batch 3; conv 3 k2; groupnorm 1 eps=0.1; conv 2 k2", 3),
    ("groupnorm_each", "input 2x4x4; batch 2; conv 4 k2 bias=false; groupnorm 4; conv 2 k2", 2),
    ("groupnorm_flat", "input 5; batch 3; fc 12; groupnorm 4; tanh; fc 2", 3),
    ("groupnorm_channels", "input 2x3x4; batch 2; conv 18 k2; groupnorm 2; relu; conv 2 k1", 2),
    # transposed convolution
    ("convtranspose", "input 3x3x4; batch 2; convtranspose 2 k3; tanh; fc 2", 2),
    ("convtranspose_stride", "input 2x3x2; batch 3; conv 3 k1; convtranspose 3->2 k2 s2; tanh; conv 2 k3", 3),
    ("convtranspose_overlap", "input 2x3x4; batch 2; conv 2 k1; convtranspose 3 k3 s2 p1 o1; tanh; fc 2", 2),
    ("convtranspose_everything", "input 4x3x4; batch 2; conv 4 k1; convtranspose 4->6 k3x2 s2x3 p1x0 o1x2 g2 bias=false; tanh; fc 2", 2),
    ("convtranspose_gaps", "input 2x2x3; batch 2; conv 2 k1; convtranspose 2 k2x1 s3x2; tanh; fc 2", 1),
    ("convtranspose_depthwise", "input 3x3x3; batch 2; conv 3 k1; convtranspose 3 k3 s2 g3; tanh; conv 2 k2", 2),
    ("convtranspose_cut", "input 1x4x3; batch 2; conv 2 k1; convtranspose 2 k3 p2; fc 2", 2),
    ("convtranspose_cut_rows", "input 2x3x4; batch 2; conv 2 k1; convtranspose 2 k1x2 p1x0; fc 2", 2),
    ("convtranspose_cut_columns", "input 1x1x1; batch 2; conv 9 k1 p0x1; convtranspose 8 k1 p0x1; fc 2", 2),
    ("convtranspose_channels", "input 2x3x3; batch 2; conv 9 k1; convtranspose 8 k4 s2 p1; relu; conv 2 k1", 2),
    ("convtranspose_one", "input 1x1x1; batch 2; convtranspose 1 k1; convtranspose 2 k3; fc 1", 2),
    ("unet", "input 2x6x6; batch 2; conv 4 k3 p1; groupnorm 2; silu; maxpool 2; conv 8 k3 p1; gelu; convtranspose 4 k2 s2; elu; "
             "upsample 2 mode=bilinear; adaptiveavgpool 3; layernorm; fc 3; softmax", 2),
    # more losses
    ("l1", "input 4; batch 3; fc 5; loss l1", 3),
    ("l1_image", "input 2x3x3; batch 2; conv 3 k2; loss l1", 1),
    ("l1_equal", "input 4; batch 5; fc 6; loss l1", 5, "whole"),
    ("huber", "input 4; batch 3; fc 5; loss huber", 3),
    ("huber_delta", "input 4; batch 3; fc 5; loss huber 0.25", 3),
    ("huber_image", "input 2x3x3; batch 2; conv 3 k2; tanh; loss huber 1.5", 2),
    ("huber_at_delta", "input 4; batch 5; fc 6; loss huber 1", 5, "whole"),
    ("smooth", "input 4; batch 5; fc 3; softmax; loss crossentropy smooth=0.1", 5),
    ("smooth_logits_positions", "input 2x3x4; batch 2; conv 3 k2; loss crossentropy smooth=0.25", 2),
    ("smooth_whole", "input 4; batch 3; fc 5; loss crossentropy smooth=1", 3),
    ("smooth_large_logits", "input 4; batch 3; fc 3; normalize mean=0 std=0.01; loss crossentropy smooth=0.1", 3),
    ("weights", "input 4; batch 7; fc 3; softmax; loss crossentropy weights=1,0.5,2.5", 7),
    ("weights_one_sample", "input 4; batch 7; fc 3; loss crossentropy weights=1,0.5,2.5", 1),
    ("weights_zero", "input 4; batch 6; fc 4; loss crossentropy weights=1,0,2,0.25", 6),
    ("weights_positions", "input 2x3x4; batch 3; conv 4 k2; softmax; loss crossentropy weights=0.3,1,2,0.7", 3),
    ("weights_smooth", "input 4; batch 5; fc 3; loss crossentropy smooth=0.2 weights=1,0.5,2.5", 5),
    ("weights_smooth_positions", "input 2x3x4; batch 2; conv 11 k2; loss crossentropy weights=1,2,3,4,5,6,7,8,9,10,0.5 smooth=0.125", 2),
    ("posweight", "input 4; batch 3; fc 5; sigmoid; loss bce posweight=2", 3),
    ("posweight_logits", "input 4; batch 3; fc 5; loss bce posweight=0.3", 3),
    ("posweight_each", "input 4; batch 3; fc 5; loss bce posweight=1,2,0.5,3,0", 3),
    ("posweight_each_channel", "input 2x3x3; batch 2; conv 3 k2; sigmoid; loss bce posweight=2,1,0.25", 2),
    ("posweight_large_logits", "input 4; batch 3; fc 3; normalize mean=0 std=0.01; loss bce posweight=2", 3),
    # more pointwise ones
    ("relu6", "input 6; batch 3; fc 7; normalize mean=-1 std=0.3; relu6; fc 2", 3),
    ("relu6_image", "input 2x3x5; batch 2; conv 3 k2; normalize mean=0 std=0.1; relu6; fc 2", 2),
    ("relu6_at_zero_and_six", "input 4; batch 5; fc 6; normalize mean=-3 std=1; relu6; fc 2", 5, "whole"),
    ("elu", "input 6; batch 3; fc 5; elu; fc 2", 3),
    ("elu_alpha", "input 2x3x3; batch 2; conv 3 k2; elu 0.3; fc 2", 2),
    ("elu_negative_alpha", "input 6; batch 2; fc 5; elu -0.7; fc 2", 2),
    ("elu_at_zero", "input 4; batch 4; fc 6; elu 0.5; fc 2", 4, "whole"),
    ("elu_near_zero", "input 3; batch 3; normalize mean=0 std=1000; fc 4 bias=false; elu; fc 3", 3),
    ("gelu", "input 6; batch 3; fc 9; gelu; fc 2", 3),
    ("gelu_image", "input 2x4x5; batch 2; conv 3 k2; normalize mean=0 std=0.3; gelu; conv 2 k3", 2),
    ("gelu_tanh", "input 6; batch 3; fc 9; gelu tanh=true; fc 2", 3),
    ("gelu_tanh_image", "input 2x4x5; batch 2; conv 3 k2; normalize mean=0 std=0.3; gelu tanh=true; conv 2 k3", 2),
    ("silu", "input 6; batch 3; fc 9; silu; fc 2", 3),
    ("silu_image", "input 2x4x5; batch 2; conv 3 k2; normalize mean=0 std=0.2; silu; conv 2 k3", 2),
    ("softplus", "input 6; batch 3; fc 9; softplus; fc 2", 3),
    ("softplus_image", "input 2x4x5; batch 2; conv 3 k2; normalize mean=0 std=0.05; softplus; conv 2 k3", 2),
    ("hardsigmoid", "input 6; batch 3; fc 9; hardsigmoid; fc 2", 3),
    ("hardsigmoid_image", "input 2x4x5; batch 2; conv 3 k2; normalize mean=0 std=0.3; hardsigmoid; conv 2 k3", 2),
    ("hardswish", "input 6; batch 3; fc 9; hardswish; fc 2", 3),
    ("hardswish_image", "input 2x4x5; batch 2; conv 3 k2; normalize mean=0 std=0.3; hardswish; conv 2 k3", 2),
    ("pointwise_chain", "input 7; batch 3; fc 5; silu; gelu; elu 0.2; softplus; hardswish; hardsigmoid; fc 3; relu6", 3),
    ("labels", "input 1x5x5; batch 2; conv 2 k2; x: conv 2 k2; r: relu; conv 2 k2; out: fc 3; n: softmax", 2),
]

# Networks that are no chains. Later cases stand behind the others, so that a new one leaves the file before it as it was.
BRANCHED = [
    ("residual", "input 3x6x6; batch 2; conv 4 k3 p1; x: relu; conv 4 k3 p1; relu; conv 4 k3 p1; add x; relu; globalavgpool; fc 3; softmax", 2),
    ("residual_down", "input 2x7x7; batch 2; x:; conv 4 k3 s2 p1; tanh; conv 4 k3 p1; y:; from x; conv 4 k1 s2; add y; tanh; fc 3; softmax", 2),
    ("residual_input", "input 5; batch 3; x:; fc 5; tanh; add x; fc 2", 3),
    ("squeeze_excite", "input 2x5x4; batch 2; conv 6 k3 p1; x: relu; globalavgpool; fc 3; relu; fc 6; sigmoid; mul x; conv 3 k3; fc 2; softmax", 2),
    ("squeeze_excite_reverse", "input 2x4x4; batch 2; x: conv 3 k1; globalavgpool; fc 3; sigmoid; g:; from x; tanh; mul g; fc 2", 2),
    ("squeeze_excite_1x1", "input 2x4x6; batch 2; conv 9 k1; x: tanh; avgpool k4x6; conv 9 k1; sigmoid; mul x; fc 2", 2),
    ("mul_equal", "input 4; batch 3; fc 5; x: tanh; fc 5; sigmoid; mul x; fc 2", 3),
    ("mul_self", "input 2x2x3; batch 2; conv 3 k1; x:; mul x; fc 2", 2),
    ("gated", "input 3x4x4; batch 2; x:; conv 4 k3; tanh; t:; from x; conv 4 k3; sigmoid; mul t; fc 2; softmax", 2),
    ("concat", "input 2x5x5; batch 2; x:; conv 3 k1; tanh; a:; from x; conv 5 k3 p1; tanh; b:; from x; avgpool 3 s1 p1; concat a b; conv 4 k1; tanh; fc 2", 2),
    ("concat_flat", "input 6; batch 3; x:; fc 3; tanh; a:; from x; fc 9; tanh; concat a x; fc 2; softmax", 3),
    ("concat_twice_the_same", "input 2x3x3; batch 2; conv 11 k1; x: tanh; concat x x; conv 2 k2; fc 2", 2),
    ("concat_is_answer", "input 3x3x4; batch 2; a: conv 5 k1; conv 9 k3 p1; concat a", 2),
    ("dense", "input 3x4x4; batch 2; a:; conv 4 k3 p1; relu; concat a; b:; conv 4 k3 p1; relu; concat b; conv 4 k3 p1; tanh; fc 3; softmax", 2),
    ("read_three_times", "input 2x4x4; batch 2; x: conv 4 k3 p1; tanh; conv 4 k1; add x; tanh; conv 4 k3 p1; add x; tanh; mul x; fc 2", 2),
    ("add_many", "input 7; batch 3; x:; fc 6; a: tanh; from x; fc 6; b: sigmoid; from x; fc 6; tanh; add a b a; fc 2", 3),
    ("unused_branch", "input 2x4x4; batch 2; x: conv 3 k2; tanh; y:; conv 2 k2; relu; from y; fc 3; softmax", 2),
    ("unused_end", "input 5; batch 2; fc 4; tanh; y: fc 3; fc 2; softmax; from y", 2),
    ("answer_in_the_middle", "input 5; batch 2; fc 4; tanh; fc 3; y: softmax; fc 2; from y", 2),
    ("two_readers_of_flatten", "input 2x3x3; batch 2; conv 3 k2; x: tanh; flatten; f: ; fc 12; tanh; add f; fc 2", 2),
    ("blocks", "input 2x8x8; batch 2; block unit(c, s, act) { conv $c k3 p1 s=$s bias=false; $act }; block down(c) { x:; unit($c, 2, relu); "
               "last: unit($c, 1, tanh); from x; conv $c k1 s2; add last; relu }; stem: down(3); down(4); s: down(5); fc 2; softmax", 2),
    ("block_output", "input 4; batch 3; block two(n) { fc $n; tanh; fc $n }; x: two(3); tanh; two(3); add x; fc 2", 3),
    ("repeat", "input 2x4x4; batch 2; conv 3 k1; repeat 3 { x:; conv 3 k3 p1; y: tanh; conv 3 k1; add x y }; fc 2; softmax", 2),
    ("repeat_blocks", "input 5; batch 3; block res(n, b) { x:; repeat 2 { fc $n bias=$b; tanh }; fc 5; add x }; repeat 2 { res(4, false); last: fc 5 }; fc 2", 3),
    ("freeze", "input 2x5x5; batch 2; conv 3 k3; tanh; conv 3 k2; relu; freeze; fc 4; tanh; fc 2; softmax", 2),
    ("freeze_one", "input 5; batch 3; fc 4; tanh; fc 6 freeze=true; tanh; fc 2; softmax", 3),
    ("freeze_branch", "input 2x4x4; batch 2; x: conv 3 k3 p1; freeze; tanh; y:; from x; conv 3 k1; add y; tanh; fc 2", 2),
    ("freeze_all", "input 4; batch 2; fc 3; tanh; fc 2; freeze", 2),
    ("pools_of_one", "input 2x6x6; batch 2; conv 3 k1; x: tanh; maxpool 2; a:; from x; avgpool 2; concat a; fc 2", 2),
]

# Statistics of the batch.
NORMALISED = [
    ("batchnorm", "input 5; batch 6; fc 4 bias=false; batchnorm; tanh; fc 2", 6, ["sgd lr 0.1", "adam lr 0.01"]),
    ("batchnorm_of_input", "input 7; batch 5; batchnorm; fc 3; softmax", 5, ["momentum lr 0.05 momentum 0.9"]),
    ("batchnorm_of_image", "input 3x4x5; batch 4; batchnorm; conv 2 k3; tanh; fc 2; softmax", 4, ["sgd lr 0.1"]),
    ("batchnorm_image", "input 2x5x4; batch 3; conv 5 k3 bias=false; batchnorm; relu; conv 3 k2; batchnorm; fc 2; softmax", 3, ["sgd lr 0.05"]),
    ("batchnorm_one_sample", "input 2x5x4; batch 3; conv 9 k3 p1; batchnorm; tanh; fc 3", 1, []),
    ("batchnorm_two_samples", "input 6; batch 3; fc 11; batchnorm; tanh; fc 3", 2, []),
    ("batchnorm_one_channel", "input 1x3x3; batch 3; conv 1 k2; batchnorm; tanh; fc 2", 3, []),
    ("batchnorm_1x1", "input 3x2x2; batch 5; conv 4 k2; batchnorm; tanh; fc 2", 5, []),
    ("batchnorm_arguments", "input 2x4x4; batch 3; conv 3 k2; batchnorm eps=0.01 momentum=0.4; tanh; fc 2", 3, ["sgd lr 0.1"]),
    ("batchnorm_momentum_one", "input 4; batch 5; fc 3; batchnorm momentum=1; fc 2", 5, ["sgd lr 0.1"]),
    ("batchnorm_momentum_none", "input 4; batch 5; fc 3; batchnorm momentum=0; fc 2", 5, []),
    ("batchnorm_frozen", "input 2x4x4; batch 3; conv 3 k2; tanh; batchnorm freeze=true; conv 2 k2; tanh; fc 2", 3, ["sgd lr 0.1"]),
    ("batchnorm_behind_freeze", "input 2x4x4; batch 3; conv 3 k2; batchnorm; tanh; freeze; batchnorm; fc 2", 3, ["sgd lr 0.1"]),
    ("batchnorm_weights", "input 4; batch 5; fc 6; batchnorm; tanh; fc 3; loss crossentropy weights=1,2,0.5", 5, []),
    ("batchnorm_far_mean", "input 2x4x4; batch 4; normalize mean=-50 std=1; batchnorm; conv 3 k3; tanh; fc 2", 4, []),
    ("batchnorm_residual", "input 3x6x6; batch 3; conv 4 k3 p1 bias=false; batchnorm; x: tanh; conv 4 k3 p1 bias=false; batchnorm; tanh; "
                           "conv 4 k3 p1 bias=false; batchnorm; add x; tanh; globalavgpool; fc 3; softmax", 3, ["momentum lr 0.05 momentum 0.9"]),
    ("batchnorm_down", "input 2x7x7; batch 3; x:; conv 4 k3 s2 p1 bias=false; batchnorm; tanh; conv 4 k3 p1 bias=false; batchnorm; y:; "
                       "from x; conv 4 k1 s2 bias=false; batchnorm; add y; tanh; fc 3; batchnorm; softmax", 3, ["sgd lr 0.05"]),
    ("batchnorm_concat", "input 2x5x5; batch 2; conv 3 k3 p1; batchnorm; a: tanh; conv 8 k3 p1; batchnorm; concat a; conv 4 k1; batchnorm; tanh; fc 2", 2, []),
    ("batchnorm_eight_channels", "input 2x3x4; batch 9; conv 8 k2; batchnorm; tanh; conv 16 k1; batchnorm; tanh; fc 3; softmax", 9, []),
]

# Positions of features.
SEQUENCES = [
    ("fc_positions", "input 6x5; batch 3; fc 4; tanh; fc 3", 3, ["sgd lr 0.1"]),
    ("fc_positions_vectors", "input 9x16; batch 3; fc 24 bias=false; relu; fc 8; softmax", 3, ["adam lr 0.01"]),
    ("fc_flattened_positions", "input 4x11; batch 3; fc 9; tanh; flatten; fc 3; softmax", 3, []),
    ("fc_one_position", "input 1x5; batch 4; fc 3; tanh; fc 2; softmax", 3, []),
    ("fc_one_feature", "input 5x1; batch 2; fc 3; tanh; fc 1", 2, []),
    ("layernorm_positions", "input 5x7; batch 3; layernorm; fc 9; layernorm eps=0.01; tanh; fc 2", 3, ["sgd lr 0.1"]),
    ("groupnorm_positions", "input 5x4; batch 2; fc 6; groupnorm 3; tanh; fc 2", 2, []),
    ("batchnorm_positions", "input 4x5; batch 3; fc 9 bias=false; batchnorm; tanh; fc 3; batchnorm; softmax", 3, ["sgd lr 0.1"]),
    ("batchnorm_one_position", "input 1x5; batch 4; fc 6; batchnorm; tanh; fc 3", 4, []),
    ("residual_positions", "input 5x8; batch 2; x:; layernorm; fc 12; gelu tanh=true; fc 8; add x; fc 3; softmax", 2, ["adam lr 0.01"]),
    ("concat_positions", "input 4x3; batch 2; x:; fc 5; tanh; a:; from x; fc 9; sigmoid; concat a x; fc 2", 2, []),
    ("mul_positions", "input 4x3; batch 2; x: fc 5; tanh; flatten; fc 5; sigmoid; mul x; fc 2", 2, []),
    ("softmax_positions", "input 4x5; batch 2; fc 7; softmax; fc 3; softmax; loss mse", 2, []),
    ("normalize_positions", "input 3x2; batch 2; normalize mean=0.5,-1 std=2,0.25; fc 3; normalize mean=1 std=3; loss l1", 2, []),
    ("crossentropy_logits_at_positions", "input 5x4; batch 3; fc 6; loss crossentropy", 3, []),
    ("crossentropy_weights_at_positions", "input 5x4; batch 2; fc 3; softmax; loss crossentropy smooth=0.1 weights=1,2,0.5", 2, []),
    ("bce_positions", "input 3x4; batch 2; fc 3; sigmoid; loss bce posweight=2,1,0.25", 2, []),
    ("conv1d", "input 7x3; batch 2; conv1d 4 k3; tanh; conv1d 2 k2 p1", 2, ["sgd lr 0.1"]),
    ("conv1d_everything", "input 11x4; batch 2; conv1d 4->6 k3 s2 p2 d2 g2 bias=false; tanh; conv1d 9 k1; relu; flatten; fc 3; softmax", 2, []),
    ("conv1d_causal", "input 6x3; batch 3; conv1d 8 k3 pad=causal; tanh; conv1d 4 k2 d3 pad=causal; tanh; fc 3; softmax", 3, ["adam lr 0.01"]),
    ("conv1d_causal_stride", "input 7x2; batch 2; conv1d 3 k4 s3 pad=causal; tanh; globalavgpool; fc 2", 2, []),
    ("conv1d_depthwise", "input 6x5; batch 2; conv1d 5 k3 p1 g5; relu; conv1d 3 k1; last; fc 2", 2, []),
    ("conv1d_reflect", "input 5x3; batch 2; conv1d 4 k3 p3 pad=reflect; tanh; conv1d 2 k3 s2", 2, []),
    ("conv1d_replicate", "input 3x2; batch 2; conv1d 3 k4 p4 s2 pad=replicate; tanh; fc 2", 2, []),
    ("conv1d_circular", "input 4x3; batch 2; conv1d 3 k3 p4 d2 pad=circular; tanh; fc 2", 2, []),
    ("maxpool1d", "input 7x3; batch 2; fc 4; maxpool1d 2; tanh; conv1d 2 k2", 2, []),
    ("maxpool1d_overlap", "input 6x2; batch 2; conv1d 9 k2; relu; maxpool1d 3 s1 p1; fc 2", 2, []),
    ("avgpool1d", "input 7x3; batch 2; fc 4; tanh; avgpool1d 3 s2 p1; fc 2", 2, []),
    ("last_first", "input 5x4; batch 3; fc 6; tanh; x:; first; a:; from x; last; add a; fc 2; softmax", 3, []),
    ("globalavgpool_positions", "input 5x4; batch 3; fc 6; tanh; globalavgpool; fc 2; softmax", 3, []),
    ("sequence_image", "input 2x5x4; batch 2; conv 6 k2; sequence; layernorm; fc 9; tanh; image 4x3; conv 3 k2; fc 2", 2, []),
    ("transpose", "input 4x6; batch 2; layernorm; transpose; fc 5; tanh; transpose; fc 3", 2, []),
    ("classtoken", "input 4x6; batch 2; fc 8; classtoken; positions; tanh; fc 5; tanh; first; fc 3; softmax", 2, ["adam lr 0.01"]),
    ("positions_sincos", "input 5x6; batch 2; positions sincos; fc 4; tanh; positions; fc 2", 2, []),
    # the gradient of the keys' bias is 0, and what rounding leaves of it Adam would make whole steps of
    ("attention", "input 5x6; batch 2; attention 2", 2, []),
    ("attention_causal", "input 7x8; batch 2; x:; layernorm; attention 2 causal=true; add x; fc 3; softmax", 2, ["sgd lr 0.1"]),
    ("attention_one_head", "input 3x5; batch 3; fc 9; attention 1 bias=false; tanh; fc 2", 3, []),
    ("attention_many_heads", "input 4x16; batch 2; attention 8; tanh; flatten; fc 3; softmax", 2, []),
    ("attention_cross", "input 6x4; batch 2; x: fc 8; conv1d 8 k3 s2; tanh; attention 2 from=x; last; fc 2; softmax", 2, ["sgd lr 0.1"]),
    ("attention_cross_frozen", "input 6x4; batch 2; x: fc 4; freeze; conv1d 4 k3; attention 2 from=x; fc 2", 2, []),
    ("vision_transformer", "input 1x4x4; batch 2; conv 8 k2 s2; sequence; classtoken; positions; a:; layernorm; attention 2; add a; b:; layernorm; "
                           "fc 12; gelu; fc 8; add b; layernorm; first; fc 3; softmax", 2, ["sgd lr 0.1"]),
    ("transformer_blocks", "input 5x6; batch 2; fc 8; positions; repeat 2 { a:; layernorm; attention 4 causal=true; add a; b:; layernorm; fc 16; "
                           "gelu tanh=true; fc 8; add b }; layernorm; fc 4 bias=false; softmax", 2, []),
    ("huber_positions", "input 3x4; batch 2; fc 3; loss huber 0.5", 2, []),
]

# Along the positions. Later cases stand behind the others.
RECURRENT = [
    ("rnn", "input 5x3; batch 3; rnn 4", 3, ["sgd lr 0.1"]),
    ("rnn_reverse", "input 5x3; batch 2; rnn 4 reverse=true; fc 2", 2, []),
    ("rnn_no_bias", "input 4x2; batch 2; fc 3; tanh; rnn 3->5 bias=false; fc 2; softmax", 2, []),
    ("rnn_one_of_each", "input 1x1; batch 2; rnn 1; rnn 1", 2, []),
    ("gru", "input 5x3; batch 3; gru 4", 3, ["adam lr 0.01"]),
    ("gru_reverse", "input 6x4; batch 2; tanh; gru 5 reverse=true; fc 2", 1, []),
    ("gru_no_bias", "input 4x2; batch 2; fc 3; tanh; gru 3 bias=false; fc 2; softmax", 2, []),
    ("gru_one_position", "input 1x3; batch 2; gru 2; gru 3 reverse=true", 2, []),
    ("gru_vectors", "input 3x8; batch 4; gru 9; relu; gru 4; fc 3; softmax", 4, []),
    ("lstm", "input 5x3; batch 3; lstm 4", 3, ["sgd lr 0.1"]),
    ("lstm_reverse", "input 5x3; batch 2; lstm 4 reverse=true; fc 2", 2, []),
    ("lstm_no_bias", "input 4x2; batch 2; fc 3; tanh; lstm 5 bias=false; fc 2; softmax", 2, []),
    ("lstm_one_position", "input 1x3; batch 2; lstm 2; lstm 3 reverse=true", 2, []),
    ("lstm_vectors", "input 4x4; batch 9; lstm 8; flatten; fc 3; softmax", 9, ["adam lr 0.01"]),
    ("lstm_both_directions", "input 5x3; batch 3; x:; lstm 4; f:; from x; lstm 4 reverse=true; concat f; fc 3; softmax", 3, []),
    ("lstm_freeze", "input 4x3; batch 2; lstm 3; freeze; gru 3; lstm 2 freeze=true; fc 2", 2, ["sgd lr 0.1"]),
    ("recurrent_stack", "input 3x5; batch 3; x:; lstm 5; add x; layernorm; gru 4; batchnorm; rnn 3 reverse=true; flatten; fc 4; softmax", 3, ["adam lr 0.01"]),
]

# weights=L
TIED = [
    ("weights", "input 6; batch 3; a: fc 6; tanh; fc 6 weights=a; tanh; fc 6 bias=false weights=a; fc 2; softmax", 3, ["sgd lr 0.1", "adam lr 0.01"]),
    ("weights_siamese", "input 2x6x5; batch 3; x:; slice 0 1; a: conv 4 k3 p1; b: batchnorm; relu; maxpool 2; c: fc 5; tanh; l:; from x; slice 1 2; "
                        "conv 4 k3 p1 weights=a; batchnorm weights=b; relu; maxpool 2; fc 5 weights=c; tanh; mul l; fc 2; softmax", 3, ["sgd lr 0.1"]),
    ("weights_autoencoder", "input 3x4x6; batch 2; a: conv 9 k2 s2; tanh; convtranspose 3 k2 s2 weights=a", 2, ["adam lr 0.01"]),
    ("weights_of_other_shapes", "input 3x2x3; batch 2; x: fc 8; y:; from x; tanh; fc 18; sigmoid; fc 8 weights=x; add y; fc 2", 2, []),
    ("weights_frozen", "input 5; batch 3; a: fc 5; tanh; fc 5 weights=a; freeze; tanh; fc 5 weights=a; tanh; fc 2; softmax", 3, ["sgd lr 0.1"]),
    ("weights_frozen_there", "input 5; batch 2; a: fc 5 bias=false; tanh; fc 5 weights=a freeze=true; fc 2", 2, ["sgd lr 0.1"]),
    ("weights_again_and_again", "input 8x7x9; batch 2; a: conv 8 k3 p1; relu; repeat 2 { conv 8 k3 p1 weights=a; relu }; conv 8 k3 s2 weights=a; fc 2", 2, []),
    ("weights_recurrent", "input 4x3; batch 2; a: lstm 3; lstm 3 reverse=true weights=a; g: gru 3; gru 3 weights=g; r: rnn 3; rnn 3 weights=r; fc 2", 2, ["sgd lr 0.1"]),
    ("weights_attention", "input 4x6; batch 2; p: positions; n: layernorm; a: attention 2; tanh; positions weights=p; layernorm weights=n; "
                          "attention 3 causal=true weights=a; fc 2", 2, []),
    ("weights_of_kinds", "input 3x3x4; batch 2; a: prelu channels=true; n: groupnorm 3; conv 3 k1; prelu channels=true weights=a; groupnorm 1 weights=n; fc 2", 2, []),
]

# Losses of soft targets.
SOFT = [
    ("kl", "input 4; batch 5; fc 6; softmax; loss kl", 5, ["sgd lr 0.1"]),
    ("kl_logits", "input 4; batch 3; fc 3; tanh; loss kl", 3, []),
    ("kl_positions", "input 4x5; batch 2; fc 3; softmax; loss kl", 2, []),
    ("kl_pixels", "input 2x3x4; batch 2; conv 3 k2; softmax; loss kl", 2, []),
    ("bce_smooth", "input 4; batch 3; fc 5; sigmoid; loss bce smooth=0.1", 3, ["sgd lr 0.1"]),
    ("bce_smooth_posweight", "input 2x3x3; batch 2; conv 3 k2; loss bce smooth=0.3 posweight=2,1,0.25", 2, []),
]

# Labels of -100.
IGNORED = [
    ("ignored", "input 4; batch 7; fc 3; softmax", 7, ["sgd lr 0.1"]),
    ("ignored_logits", "input 4; batch 5; fc 5; tanh; fc 4; loss crossentropy", 5, ["adam lr 0.01"]),
    ("ignored_weights_smooth", "input 4; batch 6; fc 3; softmax; loss crossentropy smooth=0.2 weights=1,3,0.5", 6, []),
    ("ignored_smooth", "input 4; batch 6; fc 3; loss crossentropy smooth=0.1", 6, []),
    ("ignored_positions", "input 5x4; batch 3; fc 6; softmax", 3, ["sgd lr 0.1"]),
    ("ignored_pixels", "input 2x3x4; batch 2; conv 3 k2; loss crossentropy", 2, []),
    ("ignored_pixels_weights", "input 2x3x4; batch 2; conv 3 k2; softmax; loss crossentropy weights=2,1,0.25", 2, []),
]

# `loss none`: each kind as the first layer, so that x's gradient is its own; several inputs and answers in every order.
OUTSIDE = [
    ("conv", "input 2x3x4; conv 3 k2; loss none", 2),
    ("conv_first", "input 2x3x4; conv 2 k3x2 s2 p1x0 d1x2 g2 bias=false; loss none", 2),
    ("conv_reflect", "input 1x3x3; conv 2 k3 p2 pad=reflect; loss none", 2),
    ("conv_circular", "input 2x2x3; conv 2 k2x3 p1 pad=circular; loss none", 1),
    ("conv_same", "input 2x3x3; conv 2 k2x3 pad=same; relu; loss none", 2),
    ("convtranspose", "input 2x2x3; convtranspose 4 k2x3 s2x1 p1x0 o1x0 g2; loss none", 2),
    ("fc", "input 2x2x2; fc 3; loss none", 3),
    ("maxpool", "input 1x4x5; maxpool 3 s2 p1; loss none", 2),
    ("maxpool_relu", "input 1x4x4; relu; maxpool 2; loss none", 2),
    ("avgpool", "input 1x4x4; avgpool 3 s2 p1 countpad=false; loss none", 2),
    ("adaptiveavgpool", "input 2x3x5; adaptiveavgpool 2x3; loss none", 2),
    ("globalavgpool", "input 3x2x3; globalavgpool; loss none", 2),
    ("globalmaxpool", "input 3x2x3; relu; globalmaxpool; loss none", 2),
    ("globalmaxpool_first", "input 4x3; globalmaxpool; loss none", 2),
    ("upsample", "input 2x2x3; upsample 2; loss none", 2),
    ("upsample_bilinear", "input 2x2x3; upsample 2x3 mode=bilinear; loss none", 2),
    ("zeropad", "input 2x2x3; zeropad 0x1x2x1; loss none", 2),
    ("pixelshuffle", "input 8x1x2; pixelshuffle 2; loss none", 2),
    ("channelshuffle", "input 6x1x2; channelshuffle 3; loss none", 2),
    ("pointwise", "input 2; x:; relu; a:; from x; relu6; b:; from x; leakyrelu 0.2; c:; from x; elu 0.5; d:; from x; selu; e:; from x; gelu; f:; "
                  "from x; silu; g:; from x; mish; h:; from x; softplus; i:; from x; softsign; j:; from x; hardtanh -0.5 1; k:; from x; sigmoid; l:; "
                  "from x; hardsigmoid; m:; from x; hardswish; o:; from x; tanh; q:; from x; gelu tanh=true; r:; output a b c d e f g h i j k l m o q r; "
                  "loss none", 4),
    ("prelu", "input 2x1x2; prelu; loss none", 3),
    ("prelu_first", "input 2x3; prelu channels=true; loss none", 3),
    ("softmax", "input 3x1x2; softmax; loss none", 2),
    ("batchnorm", "input 2x2x2; batchnorm; loss none", 3),
    ("batchnorm_flat", "input 3; batchnorm momentum=0.5; tanh; freeze; fc 2; loss none", 4),
    ("layernorm", "input 2x1x3; layernorm; loss none", 2),
    ("groupnorm", "input 4x1x2; groupnorm 2; loss none", 2),
    ("instancenorm", "input 2x2x2; instancenorm; loss none", 2),
    ("conv1d", "input 4x2; conv1d 3 k3 p1 s2; loss none", 2),
    ("conv1d_causal", "input 3x2; conv1d 2 k2 d2 pad=causal; loss none", 2),
    ("maxpool1d", "input 5x2; maxpool1d 3 s2 p1; loss none", 2),
    ("avgpool1d", "input 5x2; avgpool1d 2 s1; loss none", 2),
    ("ends", "input 3x2; x:; last; a:; from x; first; b:; from x; transpose; c:; from x; image 1x3; d:; from x; flatten; e:; output e c a d b; "
             "loss none", 2),
    ("sequence", "input 2x2x2; sequence; loss none", 2),
    ("embedding", "input 3 of 4; embedding 2; loss none", 3),
    ("classtoken", "input 2x3; classtoken; loss none", 2),
    ("positions", "input 2x3; positions; tanh; loss none", 2),
    ("positions_sincos", "input 2x4; positions sincos; tanh; loss none", 2),
    ("attention", "input 3x4; attention 2 causal=true; loss none", 2),
    ("attention_cross", "x: input 2x4; y: input 3x4; from x; attention 1 from=y bias=false; loss none", 2),
    ("rnn", "input 3x2; rnn 2 reverse=true; loss none", 2),
    ("gru", "input 3x2; gru 2; loss none", 2),
    ("lstm", "input 3x2; lstm 2; loss none", 2),
    ("reshape", "input 2x2x3; reshape 3x1x4; softmax; loss none", 2),
    ("slice", "input 4x1x2; slice 1 3; loss none", 2),
    ("dropout", "input 3; dropout 0; loss none", 2),
    ("normalize", "input 2x1x2; normalize mean=0.5,-1 std=2,0.25; loss none", 2),
    ("add", "x: input 3; y: input 3; from x; add y x; loss none", 2),
    ("concat", "x: input 2x1x2; y: input 1x1x2; from x; concat y x; loss none", 2),
    ("mul", "x: input 2x2x1; y: input 2; from x; mul y; loss none", 2),
    ("mul_mask", "x: input 1x2x2; y: input 2x2x2; from x; mul y; loss none", 2),
    ("mul_itself", "x: input 3; fc 2; y:; mul y; loss none", 2),
    ("frozen", "input 2x3x3; conv 2 k2; tanh; freeze; fc 2; loss none", 2),
    ("shared", "x: input 3; y: input 3; from x; a: fc 3; tanh; fc 3 weights=a; b:; from y; fc 3 weights=a; sigmoid; add b; loss none", 3),
]
# Which input is declared first, which is read first (by the third without its name), which answer stands first.
ORDERS = ["from x; fc 2; tanh; a:; from y; fc 2; add a; b:", "from y; conv 2 k1; globalavgpool; b:; from x; fc 2; add b; tanh; a:",
          "fc 2; b:; from x; fc 2; t:; from y; fc 2; add t b; sigmoid; a:"]
OUTSIDE += [(f"order_{inputs[0]}_{number}_{answers[0]}",
             "; ".join({"x": "x: input 3", "y": "y: input 2x1x2"}[i] for i in inputs) + f"; {body}; output {answers[0]} {answers[1]}; loss none", 2)
            for inputs in ("xy", "yx") for number, body in enumerate(ORDERS) for answers in ("ab", "ba")]

DEFAULTS = ["sgd lr 0.1", "momentum lr 0.05 momentum 0.9", "adagrad lr 0.05", "rmsprop lr 0.01", "adam lr 0.01"]
VARIANTS = ["sgd lr 0.1 weight_decay 0.05", "momentum lr 0.05 momentum 0.8 nesterov 1 weight_decay 0.02",
            "momentum lr 0.1 momentum 0.7 dampening 0.4", "sgd lr 0.01 maximize 1",
            "adagrad lr 0.1 lr_decay 0.1 initial_accumulator_value 0.3 eps 0.001 weight_decay 0.01",
            "rmsprop lr 0.005 alpha 0.9 momentum 0.5 weight_decay 0.01", "rmsprop lr 0.005 centered 1 eps 0.0001",
            "adam lr 0.02 beta1 0.8 beta2 0.95 eps 0.0001 weight_decay 0.03", "adam lr 0.02 amsgrad 1 beta2 0.5",
            "adam lr 0.02 decoupled 1 weight_decay 0.1", "adam lr 0.02 decoupled 1 weight_decay 0.1 amsgrad 1 beta2 0.6"]
TRAINED = [
    ("train_two_three_two", "input 2; batch 5; fc 3; sigmoid; fc 2; softmax", 5, DEFAULTS + VARIANTS),
    ("train_mlp", "input 7; batch 8; fc 9; tanh; fc 5; relu; fc 3; softmax", 8, DEFAULTS),
    ("train_lenet", "input 1x8x8; batch 4; conv 2 k3 p1; relu; maxpool 2; conv 3 k2; relu; maxpool 2; fc 6; relu; fc 4; softmax", 4, DEFAULTS),
    ("train_odd", "input 2x5x5; batch 3; a: conv 4 k3x2 s3x2 p2 g2 pad=circular bias=false; leakyrelu 0.2; avgpool 2 s1 p1 "
                  "countpad=false; conv 2 k2 d2; tanh; fc 2; sigmoid", 3, DEFAULTS),
]


KINDS = [
    # pointwise
    ("mish", "input 6; batch 3; fc 9; mish; fc 2", 3),
    ("mish_large", "input 2x4x5; batch 2; conv 3 k2; normalize mean=0 std=0.05; mish; conv 2 k3", 2),
    ("selu_at_zero", "input 4; batch 4; fc 6; selu; fc 2", 4, "whole"),
    ("softsign", "input 2x3x4; batch 3; conv 3 k2; softsign; fc 2", 3),
    ("hardtanh_range", "input 2x5x5; batch 2; conv 9 k2; hardtanh -0.5 0.75; maxpool 2; fc 2", 2),
    ("hardtanh_at_its_ends", "input 4; batch 5; fc 6; hardtanh; fc 2", 5, "whole"),
    ("prelu", "input 6; batch 3; fc 9; prelu; fc 2", 3),
    ("prelu_channels", "input 2x4x4; batch 3; conv 9 k2; prelu channels=true; conv 2 k2", 3),
    ("prelu_at_zero", "input 4; batch 4; fc 6; prelu; fc 2", 4, "whole"),
    # padding and windows
    ("zeropad_sides", "input 2x3x4; batch 2; tanh; zeropad 2x0x1x3; conv 3 k3 s2; fc 2", 2),
    ("zeropad_keras", "input 3x6x6; batch 2; zeropad 0x1x0x1; conv 8 k3 s2; relu; zeropad 0x1x0x1; conv 8 k3 s2 g8; conv 2 k1", 2),
    ("pad_same", "input 3x5x4; batch 2; conv 9 k3 pad=same; relu; conv 2 k4x2 pad=same", 2),
    ("pad_same_dilation", "input 4x4x5; batch 2; conv 8 k2x3 d3x2 g2 pad=same bias=false; tanh; conv 2 k1x2 pad=same", 2),
    ("maxpool_ceil_last_in_padding", "input 2x5x6; batch 2; conv 3 k1; maxpool 2 s3 p1 ceil=true; fc 2", 2),
    ("maxpool_ceil_pad", "input 2x6x7; batch 2; conv 3 k1; maxpool 3 s2 p1 ceil=true; fc 2", 2),
    ("maxpool_ceil_larger", "input 1x2x3; batch 2; conv 9 k1; maxpool 3 s2 ceil=true; fc 2", 2),
    ("avgpool_ceil_pad", "input 2x6x7; batch 2; conv 3 k1; avgpool 3 s2 p1 ceil=true; fc 2", 2),
    ("avgpool_ceil_countpad", "input 2x6x7; batch 2; conv 3 k1; avgpool 3 s2 p1 ceil=true countpad=false; fc 2", 2),
    ("avgpool_ceil_larger", "input 1x2x3; batch 2; conv 9 k1; avgpool 3 s2 ceil=true; fc 2", 2),
    ("globalmaxpool", "input 2x4x5; batch 3; conv 9 k2; relu; globalmaxpool; fc 2", 3),
    ("convtranspose_dilation_all", "input 4x3x2; batch 2; conv 4 k1; convtranspose 6 k2x3 s2x1 p1x2 o2x1 d3x2 g2; tanh; fc 2", 2),
    # moves
    ("reshape_image", "input 2x3x4; batch 2; conv 9 k2; reshape 2x9x3; tanh; conv 2 k2", 2),
    ("slice_features", "input 6; batch 3; x: fc 8; slice 0 4; sigmoid; y:; from x; slice 4 8; mul y; fc 2", 3),
    ("pixelshuffle", "input 2x3x4; batch 2; conv 12 k2; pixelshuffle 2; tanh; conv 2 k2", 2),
    ("channelshuffle", "input 4x3x3; batch 2; conv 12 k1 g2; channelshuffle 2; tanh; conv 4 k2 g4", 2),
    ("mul_mask", "input 3x3x4; batch 2; x: conv 9 k1; m: conv 1 k1; sigmoid; mul x; conv 2 k2", 2),
    # norms
    # losses
    ("hinge", "input 4; batch 5; fc 5; loss hinge", 5),
    ("hinge_positions", "input 2x3x4; batch 2; conv 4 k2; loss hinge 0.25", 2),
    ("focal", "input 4; batch 3; fc 5; sigmoid; loss focal", 3),
    ("focal_image", "input 2x3x4; batch 2; conv 3 k2; loss focal alpha=0.6 gamma=1.5", 2),
    ("focal_plain", "input 4; batch 3; fc 5; loss focal alpha=-1 gamma=3", 3),
    ("dice", "input 2x4x4; batch 2; conv 3 k2; sigmoid; loss dice", 2),
    ("dice_flat", "input 5; batch 3; fc 6; sigmoid; loss dice smooth=0.5", 3),
    ("instancenorm", "input 2x4x3; batch 2; conv 9 k2; instancenorm; tanh; fc 2", 2),
]


TOKENS = [
    ("embedding", "input 4 of 5; batch 3; embedding 3", 3, ["sgd lr 0.1"]),
    ("embedding_one_token", "input 1 of 9; batch 4; embedding 8; last; fc 3; softmax", 4, ["adam lr 0.01 decoupled 1 weight_decay 0.1"]),
    ("embedding_often_the_same", "input 9 of 2; batch 2; embedding 9; tanh; globalavgpool; fc 2", 2, []),
    ("embedding_frozen", "input 5 of 7; batch 2; embedding 4 freeze=true; gru 3; fc 7; softmax", 2, ["sgd lr 0.1"]),
    ("embedding_conv1d", "input 6 of 4; batch 3; embedding 5; conv1d 8 k3 pad=causal; relu; globalmaxpool; fc 3; softmax", 3, []),
    ("gpt_small", "input 5 of 11; batch 3; embedding 8; positions; repeat 2 { a:; layernorm; attention 2 causal=true; add a; b:; layernorm; fc 16; "
                  "gelu tanh=true; fc 8; add b }; layernorm; fc 11 bias=false; softmax", 3,
     ["adam lr 0.003 beta1 0.9 beta2 0.99 eps 0.0001 decoupled 1 weight_decay 0.1"]),
]


def decimals(tensor):
    """Three decimals, as the float nearest to them."""
    return ((tensor * 1000).round() / 1000).float()


def draw_samples(net, n, g, whole):
    if net.vocabulary:
        return torch.randint(0, net.vocabulary, (n, *net.shape), generator=g).float()
    return torch.randint(-1, 3, (n, *net.shape), generator=g).float() if whole else decimals(torch.randn((n, *net.shape), generator=g))


def draw(net, n, seed, whole):
    """Weights, samples and targets: PyTorch-like sizes, or small whole numbers where ties are wanted."""
    g = torch.Generator().manual_seed(seed)
    if whole:
        weights = [torch.randint(-1, 2, v.shape, generator=g).float() for _, v in net.tensors]
        return weights, draw_samples(net, n, g, True), net.draw_targets(g, n).float().round()
    weights = []
    for name, v in net.tensors:
        inputs = v[0].numel() if v.dim() > 1 else 4
        if name.endswith("running_var"):
            weights.append(decimals(torch.rand(v.shape, generator=g) + 0.5))
        else:
            weights.append(decimals((torch.rand(v.shape, generator=g) * 2 - 1) * (2 / inputs) ** 0.5 * 1.2))
    return weights, draw_samples(net, n, g, False), decimals(net.draw_targets(g, n).float())


def is_statistic(name):
    return name.split(".")[-1].startswith("running_")


def answers(net, weights, x, t, dtype, noise=0.0):
    """(y, loss, gradients, statistics) in dtype; noise disturbs weights and samples by that share of themselves."""
    def disturb(v):
        return v.to(dtype) * (1 + noise * torch.randn(v.shape, generator=g, dtype=dtype))
    g = torch.Generator().manual_seed(1)
    net.to(dtype)
    for (_, v), w in zip(net.tensors, weights):
        v.data = disturb(w)
    x = disturb(x)
    y, loss = net.forward(x), net.loss(x, t.long() if net.int_targets else t.to(dtype))
    if loss.requires_grad:
        loss.backward()
    return (y, loss.detach(), [torch.zeros_like(v) if v.grad is None else v.grad for _, v in net.parameters],
            [v.clone() for k, v in net.tensors if is_statistic(k)])


def outside(net, weights, x, dy, dtype, noise=0.0):
    """(y in training, dx, gradients, statistics) that dy leads to, likewise."""
    x = x.to(dtype).clone()
    if not net.vocabulary:
        x = (x * (1 + noise * torch.randn(x.shape, generator=torch.Generator().manual_seed(3), dtype=dtype))).requires_grad_()
    g = torch.Generator().manual_seed(1)
    net.to(dtype)
    for (_, v), w in zip(net.tensors, weights):
        v.data = w.to(dtype) * (1 + noise * torch.randn(w.shape, generator=g, dtype=dtype))
    y = net.run(x, net.answer, True)
    if y.requires_grad:
        y.backward(dy.to(dtype))
    return (y.detach(), x.grad if x.grad is not None else torch.zeros(0, dtype=dtype),
            [torch.zeros_like(v) if v.grad is None else v.grad for _, v in net.parameters], [v.clone() for k, v in net.tensors if is_statistic(k)])


def record_outside(name, text, n):
    net = language.read(text)
    for seed in range(1000):
        weights, x, dy = draw(net, n, seed, False)
        exact = outside(net, weights, x, dy, torch.float64)
        rounded = [outside(net, weights, x, dy, torch.float32)] + [outside(net, weights, x, dy, torch.float64, e) for e in (1e-7, -1e-7)]
        most = 1e-2 * max(d.abs().max().item() for d in [exact[0], exact[1], *exact[2]] if d.numel())
        if all(apart(o[i], exact[i], most) < 3e-6 for o in rounded for i in (0, 1)) \
                and all(apart(a, b, most) < 3e-6 for o in rounded for a, b in zip(o[2], exact[2])):
            break
    else:
        raise SystemExit(f"{name}: no stable draw")
    with torch.no_grad():
        for (_, v), w in zip(net.tensors, weights):
            v.data = w.double()
        inference = net.forward(x.double())
    lines = [f"case {name}", f"net {text}", f"n {n}"] + [array(f"w {k}", w, "%.6g") for (k, _), w in zip(net.tensors, weights)]
    lines += [array("x", x, "%.6g"), array("t", dy, "%.6g"), array("trained", exact[0], "%.7g"), array("dx", exact[1], "%.7g")]
    lines += [array("y", inference, "%.7g")] if exact[3] else []
    lines += [array(f"d {k}", d, "%.7g") for (k, _), d in zip(net.parameters, exact[2])]
    return lines + [array(f"s {k}", v, "%.7g") for k, v in zip([k for k, _ in net.tensors if is_statistic(k)], exact[3])]


def evaluate(net, weights, x, t):
    """The loss in eval mode."""
    for (_, v), w in zip(net.tensors, weights):
        v.data = w.double()
    with torch.no_grad():
        return net.loss(x.double(), t.long() if net.int_targets else t.double(), False).item()


def apart(a, b, least=1e-6):
    """The largest difference, in shares of the largest value."""
    return ((a - b).abs().max() / max(b.abs().max().item(), least, 1e-6)).item() if b.numel() else 0.0


def stable(net, weights, x, t, whole):
    y, loss, gradients, _ = answers(net, weights, x, t, torch.float64)
    others = [answers(net, weights, x, t, torch.float32)]
    if not whole:
        others += [answers(net, weights, x, t, torch.float64, noise) for noise in (1e-7, -1e-7)]
    least = 1e-2 * max((d.abs().max().item() for d in gradients), default=0)   # of a bias before a batchnorm nothing is left
    return all(apart(o[0], y) < 3e-6 and apart(o[1], loss) < 3e-6 and all(apart(a, b, least) < 3e-5 for a, b in zip(o[2], gradients))
               for o in others)


def optimizer(words, parameters):
    """The torch optimizer that `adam lr 0.01 amsgrad 1` describes; fields are named as in nn_optimizer."""
    method, fields = words.split()[0], words.split()[1:]
    fields = {k: float(v) for k, v in zip(fields[::2], fields[1::2])}
    decoupled = fields.pop("decoupled", 0)
    if {"beta1", "beta2"} & set(fields):
        fields["betas"] = (fields.pop("beta1", 0.9), fields.pop("beta2", 0.999))
    for name in ("nesterov", "centered", "amsgrad", "maximize"):
        if name in fields:
            fields[name] = bool(fields[name])
    if method == "adam":      # the two differ in how the decay enters, and in its default
        fields.setdefault("weight_decay", 0)
    kinds = {"sgd": torch.optim.SGD, "momentum": torch.optim.SGD, "adagrad": torch.optim.Adagrad, "rmsprop": torch.optim.RMSprop,
             "adam": torch.optim.AdamW if decoupled else torch.optim.Adam}
    return kinds[method](parameters, **fields)


def train(net, weights, x, t, words, dtype, steps=STEPS):
    """(losses, final weights) of steps steps."""
    net.to(dtype)
    for (_, v), w in zip(net.tensors, weights):
        v.data = w.to(dtype, copy=True)
    x, t = x.to(dtype), t.long() if net.int_targets else t.to(dtype)
    rule, losses = optimizer(words, [v for _, v in net.parameters]), []
    for _ in range(steps):
        rule.zero_grad()
        loss = net.loss(x, t)
        if loss.requires_grad:
            loss.backward()
        for _, v in net.parameters:      # what is frozen or not used has a gradient of 0
            if v.grad is None:
                v.grad = torch.zeros_like(v)
        rule.step()
        losses.append(loss.detach())
    return torch.stack(losses), [v.detach().clone() for _, v in net.tensors]


def steady(net, weights, x, t, runs):
    """Whether float32 stays with float64 through all the runs."""
    for words in runs:
        exact, rounded = (train(net, weights, x, t, words, d) for d in (torch.float64, torch.float32))
        if apart(rounded[0], exact[0]) > 1e-5 or any(apart(a, b) > 1e-4 for a, b in zip(rounded[1], exact[1])):
            return False
    return True


def array(key, tensor, form="%.9g"):
    return f"{key} {tensor.numel()} " + " ".join(form % v for v in tensor.flatten().tolist())


def record(name, text, n, how="", runs=()):
    net = language.read(text)
    whole = how == "whole"
    for seed in range(1000):
        weights, x, t = draw(net, n, seed, whole)
        if how == "ignored":
            t.flatten()[1::3] = -100
        if how == "inference" or stable(net, weights, x, t, whole) and steady(net, weights, x, t, runs):
            break
    else:
        raise SystemExit(f"{name}: no stable draw")
    lines = [f"case {name}", f"net {text}", f"n {n}"]
    lines += [array(f"w {k}", w, "%.6g") for (k, _), w in zip(net.tensors, weights)]
    lines += [array("x", x, "%.6g"), array("t", t, "%.6g")]
    if how == "inference":
        return lines[:-1] + [array("y", answers(net, weights, x, t, torch.float64)[0])]
    y, loss, gradients, statistics = answers(net, weights, x, t, torch.float64)
    lines += [array("y", y), f"loss {loss.item():.9g}", f"evaluated {evaluate(net, weights, x, t):.9g}"]
    lines += [array(f"d {k}", d) for (k, _), d in zip(net.parameters, gradients)]
    lines += [array(f"s {k}", v) for k, v in zip([k for k, _ in net.tensors if is_statistic(k)], statistics)]
    for run in runs:
        losses, final = train(net, weights, x, t, run, torch.float64)
        lines += [f"train {run} end", array("losses", losses)]
        lines += [array(f"f {k}", f) for (k, _), f in zip(net.tensors, final)]
    return lines


def write(name, lines):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    print(f"{path}: {sum(line.startswith('case ') for line in lines)} cases, {os.path.getsize(path)} bytes")


def main():
    lines = (HEAD % (torch.__version__, STEPS)).splitlines()
    for case in CASES:
        lines += record(*case)
    for name, text, n, runs in TRAINED:
        lines += record(name, text, n, "", runs)
    for case in BRANCHED:
        lines += record(*case)
    for name, text, n, runs in NORMALISED + SEQUENCES + RECURRENT:
        lines += record(name, text, n, "", runs)
    for case in KINDS:
        lines += record(*case)
    for name, text, n, runs in TIED + TOKENS:
        lines += record(name, text, n, "", runs)
    for name, text, n, runs in SOFT:
        lines += record(name, text, n, "", runs)
    for name, text, n, runs in IGNORED:
        lines += record(name, text, n, "ignored", runs)
    write("kinds.ref", lines)
    lines = (OUTSIDE_HEAD % torch.__version__).splitlines()
    for case in OUTSIDE:
        lines += record_outside(*case)
    write("outside.ref", lines)


if __name__ == "__main__":
    main()
