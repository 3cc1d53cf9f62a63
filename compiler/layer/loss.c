/* loss: its first word names the kind that does the work; that kind's arguments follow. */
#include "layer/layer.h"

static const Param params[] = {{0}};

const Kind kind_loss = {
    .name = "loss",
    .role = ROLE_LOSS_STATEMENT,
    .syntax = "loss crossentropy | bce | mse | l1 | huber | hinge | focal | dice | kl | none",
    .help = "what net_backward minimises; the last statement",
    .params = params,
};
