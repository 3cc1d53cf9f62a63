/* plan.c: Prog to Plan.
 *
 * In: the statements of inference and of training. Out: for each of the two passes the functions that net.c
 * will have, one for each layer and direction, called in order for one sample after the other; in each
 * function the loop nests with their form, their regions and tiles; and an offset in the arena for every
 * buffer. How far a function is unrolled is decided here: as the option says, or under auto written out in
 * full where that is predicted to gain a quarter, while all that is stays in the instruction cache. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "schedule/schedule.h"

/* ---- Forms --------------------------------------------------------------------------------------------------- */

/* ---- Kernels --------------------------------------------------------------------------------------------------- */

/* ---- Functions ------------------------------------------------------------------------------------------------------ */

/* ---- Passes ------------------------------------------------------------------------------------------------------------ */

/* ---- Vectors that reach behind a value ---------------------------------------------------------------------------- */

/* The pass of a Prog that is laid out already. */
static Pass make_pass(const Plan *plan, Prog *prog, const Target *target, int64_t samples, const Pass *forward)
{
    order_phases(prog);
    Pass pass = {.prog = prog, .target = target, .samples = samples, .batch = plan->net->batch,
                 .prepares = plan->options->inference};
    share_moves(&pass);
    Function **last = &pass.functions;
    for (Statement **link = &prog->statements, *end; *link;) {
        const Statement *first = *link;
        for (end = *link; end && end->layer == first->layer && end->backward == first->backward
                          && end->per_sample == first->per_sample && end->phase == first->phase;)
            end = end->next;
        Statement **middle = gradients_first(link, end), *parts[] = {*link, *middle, end};
        for (int i = 0; i < 2; i++) {
            Function *f = parts[i] == parts[i + 1] ? NULL : make_function(plan, &pass, parts[i], parts[i + 1]);
            if (!f)
                continue;
            *last = f;
            last = &f->next;
        }
        while (*link != end)
            link = &(*link)->next;
    }
    write_out_what_pays(&pass);
    fuse(&pass);
    if (!pass.samples)
        take_samples_together(plan, &pass);
    run_in_blocks(&pass, target);
    for (Function *f = pass.functions; f; f = f->next) {
        f->kernels = finish_kernels(f->kernels, f->unroll, target);
        f->cycles = f->unroll == UNROLL_FULL ? straight_cycles(f->kernels, f->terms, target)
                                             : cycles_of_kernels(f->kernels) / (f->per_call ? 1 : samples_at_once(&pass, f));
        collect_params(f);
        note_overruns(&pass, f);
        f->brief = is_brief(f, &pass);
    }
    find_layers_functions(&pass, plan->net->nlayers);
    name_functions(plan, &pass, forward);
    place(&pass, target->lanes);
    return pass;
}

enum { LINE = 16 };      /* floats in a line of the cache */
enum { FAR_GRADIENTS = 128 << 10 }; /* floats of all lanes' gradients beyond which training over samples isn't tried */

/* One weight after the other, each from a whole cache line on, as the laid out tensors of the passes say: the parameters,
 * or behind them the statistics. `floats` lie before them; the result says how many then. Where net_prepare makes something of
 * them, place.c has put them where they are loaded. */
static int64_t layout_params(const Plan *plan, bool statistics, int64_t floats)
{
    for (Weight *w = plan->net->weights; w; w = w->next) {
        if (w->statistic != statistics)
            continue;
        const Tensor *t = plan->forward.prog->weight[w->id];
        int64_t stride = 1;
        for (int d = 0; d < 4; d++) {
            w->axis[d] = 1;
            w->stride[d] = 0;
        }
        for (int d = t->rank - 1; d >= 0; d--) {
            w->axis[t->axis[d]] = t->dim[d];
            w->stride[t->axis[d]] = stride;
            stride *= t->room[d];
        }
        w->array = t;
        w->offset = plan->forward.prepared ? buffer_of(&plan->forward, t)->offset : floats;
        floats = (floats + t->floats + LINE - 1) / LINE * LINE;
    }
    return floats;
}

static char *upper(const char *text)
{
    char *copy = format("%s", text);
    for (char *c = copy; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return copy;
}

static double cycles_of(const Pass *pass, int64_t batch)
{
    double cycles = 0;
    for (const Function *f = pass->functions; f; f = f->next)
        cycles += f->cycles / (double)(f->per_call ? batch : 1);
    return cycles;
}

/* One machine with vectors of 16 works on them as fast as on 8, another takes twice as long. On the first kind LeNet-5 gains
 * 12 % in training and 18 % in inference by 16. */
static double share_of(const Target *target)
{
    return target->lanes > 8 ? 1.25 : 1;
}

static const Target *with_lanes(const Target *target, int lanes)
{
    Target *copy = NEW(Target);
    *copy = *target;
    copy->lanes = lanes;
    return copy;
}

/* The forward pass with vectors of so many lanes over channels; its predicted cycles for one sample. */
static double plan_forward(Plan *plan, const Prog *forward, int lanes)
{
    const Target *target = plan->target = with_lanes(plan->target, lanes);
    plan->forward = plan->training = (Pass){0};
    plan->forward = make_pass(plan, lay_out(forward, target, plan->options), target, 0, NULL);
    return share_of(target) * cycles_of(&plan->forward, 1);
}

/* Training beside it. */
static double plan_training(Plan *plan, const Prog *training)
{
    const Target *target = plan->target;
    if (training)
        plan->training = make_pass(plan, lay_out(training, target, plan->options), target, 0, &plan->forward);
    return share_of(target) * cycles_of(&plan->training, plan->net->batch);
}

/* The gradients of all lanes are read and written once for each group of samples: what that takes for one of them, where they
 * lie beyond the nearest cache. */
static double gradient_cycles(const Net *net, const Target *target)
{
    enum { NEAREST_CACHE = 32 << 10 };
    static const double bytes_a_cycle = 32;
    double bytes = sizeof(float) * (double)net->nparams;
    return bytes * target->lanes > NEAREST_CACHE ? 2 * bytes / bytes_a_cycle : 0;
}

/* Training with a sample in each lane of the target's vectors. */
static double plan_samples(Plan *plan, const Prog *training, const Target *target)
{
    plan->training = make_pass(plan, lay_out_samples(training, plan->target, target), target, target->lanes, &plan->forward);
    return share_of(target) * cycles_of(&plan->training, plan->net->batch) + gradient_cycles(plan->net, target);
}

/* May the lanes of training lie over samples? Not where all is written out, and hardly where the gradients of all lanes
 * leave the near caches. */
static bool may_take_samples(const Plan *plan, const Prog *training)
{
    const Options *o = plan->options;
    bool near = plan->net->nparams * plan->target->lanes <= FAR_GRADIENTS || o->lanes == LANES_SAMPLES;
    if (o->math == MATH_WINOGRAD && o->lanes != LANES_SAMPLES)
        return false;
    return training && plan->target->lanes > 1 && (o->unroll == UNROLL_AUTO || o->unroll == UNROLL_TILE) && near
           && o->lanes != LANES_CHANNELS && samples_fit_lanes(training);
}

/* A network of few channels is faster in vectors that it fills: shorter ones, or, in training, such as take a sample in each
 * lane. Where shorter vectors are clearly slower in the forward pass they are not tried in training, nor shorter ones yet. */
static void choose_lanes(Plan *plan, const Prog *forward, const Prog *training)
{
    enum { FEWEST = 4 };
    static const double clearly_slower = 1.15;
    const Target *widest = plan->target;
    Plan best = *plan;
    double least = 0, least_forward = INFINITY, over_samples = INFINITY;
    bool samples = may_take_samples(plan, training);
    for (int lanes = widest->lanes;; lanes /= 2) {
        double cycles = plan_forward(plan, forward, lanes);
        if (cycles > clearly_slower * least_forward)
            break;
        least_forward = cycles < least_forward ? cycles : least_forward;
        double training_cycles = plan_training(plan, training);
        if (samples && lanes == widest->lanes) {
            Plan other = *plan;
            over_samples = plan->options->lanes == LANES_SAMPLES ? 0 : plan_samples(&other, training, widest);
        }
        cycles += over_samples < training_cycles ? over_samples : training_cycles;
        if (least == 0 || cycles <= least) {
            best = *plan;
            least = cycles;
            samples = over_samples < training_cycles;
        }
        if (lanes <= FEWEST || plan->options->unroll == UNROLL_NONE)
            break;
    }
    *plan = best;
    if (samples)
        plan_samples(plan, training, widest);
}

Plan *make_plan(const Net *net, Prog *forward, Prog *training, const Options *options)
{
    Plan *plan = NEW(Plan);
    plan->net = net;
    plan->options = options;
    Target *target = NEW(Target);
    *target = targets[options->target];
    target->rows = options->tile_rows;
    target->vectors = options->tile_vectors;
    target->blocks = options->blocks;
    target->chosen = no_tiles_chosen();
    plan->target = target;
    plan->prefix = options->prefix;
    plan->PREFIX = upper(options->prefix);
    choose_lanes(plan, forward, training);
    plan->floats = layout_params(plan, false, 0);
    if (!plan->floats)
        plan->floats = LINE;
    plan->all_floats = layout_params(plan, true, plan->floats);
    if (plan->forward.prepared) /* they share their room with what is made of them */
        plan->floats = plan->all_floats = plan->forward.prepared;
    plan->arena = plan->forward.arena > plan->training.arena ? plan->forward.arena : plan->training.arena;
    if (options->unroll == UNROLL_FULL)
        warn_if_unreasonable(plan);
    return plan;
}

/* ---- The dump and the verifier --------------------------------------------------------------------------------------------- */
