/* schedule.c: Prog to Plan: the list of steps, and the choice between the widths of vectors.
 *
 * In: the statements of inference and of training. Out: for each of the two the functions that net.c will
 * have, one for each layer and direction, called in order for one sample after the other; in each function
 * the loop nests with their form, their regions and tiles; and an offset in the arena for every buffer.
 *
 * The one idea: a schedule is the list `steps`, applied in order to a Draft, with a verifier behind each
 * step. The list is run for each width of vectors that the target has, and the schedule that is predicted
 * to be fastest is kept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "schedule/schedule.h"

/* ---- The steps ------------------------------------------------------------------------------- */

static bool moves_tensors(const Draft *d)
{
    return d->options->unroll != UNROLL_NONE;
}

static bool has_lanes(const Draft *d)
{
    return moves_tensors(d) && d->pass->target->lanes > 1;
}

static bool lanes_over_channels(const Draft *d)
{
    return has_lanes(d) && !d->pass->samples;
}

static bool one_sample(const Draft *d)
{
    return !d->pass->samples;
}

static bool lanes_over_samples(const Draft *d)
{
    return d->pass->samples;
}

/* Written-out code leaves out what falls outside anyway. */
static bool has_loops(const Draft *d)
{
    return moves_tensors(d) && d->options->unroll != UNROLL_FULL;
}

static bool fewer_products(const Draft *d)
{
    return has_loops(d) && !d->pass->samples;
}

static void step_layout(Draft *d)
{
    if (!d->pass->samples)
        move_interface(d->pass->prog, d->weights->lanes);
    lay_out(d->pass->prog, d->weights, !d->pass->samples);
}

static void step_samples(Draft *d)
{
    put_samples_in_lanes(d->pass->prog, d->pass->target->lanes);
}

static void step_gather(Draft *d)
{
    gather_all(d->pass->prog);
    remove_unused(d->pass->prog); /* a convolution's input gradient of which no point is left reads nothing */
}

static void step_sums(Draft *d)
{
    order_sums(d->pass->prog);
}

static void step_transpose(Draft *d)
{
    transpose_weights(d->pass->prog, d->pass->target);
}

static void step_winograd(Draft *d)
{
    use_winograd(d->pass->prog, d->pass->target, d->options);
    merge_equal(d->pass->prog); /* the taps of weights that layers share */
}

static void step_halo(Draft *d)
{
    add_halos(d->pass->prog, d->pass->target);
}

static void step_phases(Draft *d)
{
    order_phases(d->pass->prog);
}

static void step_moves(Draft *d)
{
    share_moves(d->pass);
}

static void step_functions(Draft *d)
{
    make_functions(d->plan, d->pass);
}

static void step_full(Draft *d)
{
    write_out_what_pays(d->pass);
}

static void step_fuse(Draft *d)
{
    fuse(d->pass);
}

static void step_windows(Draft *d)
{
    fuse_windows(d->pass);
}

static void step_follow(Draft *d)
{
    fuse_rows(d->pass);
}

static void step_together(Draft *d)
{
    take_samples_together(d->pass);
}

static void step_blocks(Draft *d)
{
    run_in_blocks(d->pass, d->pass->target);
}

static void step_tiles(Draft *d)
{
    finish_functions(d->pass);
}

static void step_names(Draft *d)
{
    find_layers_functions(d->pass, d->plan->net->nlayers);
    name_functions(d->plan, d->pass, d->forward, d->training);
}

static void step_place(Draft *d)
{
    place(d->pass, d->pass->target->lanes);
}

/* In their order; wanted NULL: always. What a step may rely on is what those before it have done. */
static const struct Step {
    const char *name;    /* of --dump=NAME */
    bool (*wanted)(const Draft *);
    void (*run)(Draft *);
    void (*verify)(const Pass *);
} steps[] = {
    {"layout", has_lanes, step_layout, verify_statements},
    {"samples", lanes_over_samples, step_samples, verify_statements},
    {"gather", moves_tensors, step_gather, verify_statements},
    {"sums", moves_tensors, step_sums, verify_statements},
    {"transpose", lanes_over_channels, step_transpose, verify_statements},
    {"winograd", fewer_products, step_winograd, verify_statements},
    {"halo", has_loops, step_halo, verify_statements},
    {"phases", NULL, step_phases, verify_statements},
    {"moves", NULL, step_moves, verify_statements},
    {"functions", NULL, step_functions, verify_lanes},
    {"full", NULL, step_full, verify_nests},
    {"fuse", NULL, step_fuse, verify_nests},
    {"windows", NULL, step_windows, verify_nests},
    {"follow", NULL, step_follow, verify_nests},
    {"together", one_sample, step_together, verify_nests},
    {"blocks", NULL, step_blocks, verify_blocks},
    {"tiles", NULL, step_tiles, verify_regions},
    {"names", NULL, step_names, NULL},
    {"place", NULL, step_place, verify_places},
};
enum { NSTEPS = sizeof steps / sizeof *steps };

const char *step_name(int number)
{
    return number < NSTEPS ? steps[number].name : NULL;
}

/* ---- Running them ---------------------------------------------------------------------------- */

const Target *new_target(const Options *options)
{
    Target *target = NEW(Target);
    const Machine *machine = &machines[options->target];
    *target = (Target){machine, machine->lanes, options, no_tiles_chosen(), new_map()};
    return target;
}

/* What a pass is after a step, as text; it is kept with the pass, since only that of the chosen schedule
 * is printed. */
static void note_step(Pass *pass, const char *name)
{
    Trace *trace = NEW(Trace), **end = &pass->trace;
    trace->name = name;
    trace->text = pass_text(pass);
    while (*end)
        end = &(*end)->next;
    *end = trace;
}

/* The pass of a Prog with the given target's vectors; samples: how many lie in their lanes. */
static Pass make_pass(const Plan *plan, const Prog *prog, const Target *target, int64_t samples,
                      const Pass *forward, const Pass *training)
{
    Pass pass = {.prog = copy_prog(prog), .target = target, .samples = samples, .batch = prog->net->batch,
                 .prepares = plan->options->inference && !plan->options->stream};
    Draft draft = {.plan = plan, .options = plan->options, .pass = &pass, .forward = forward,
                   .training = training, .weights = plan->target};
    for (int i = 0; i < NSTEPS; i++) {
        const struct Step *step = &steps[i];
        if (step->wanted && !step->wanted(&draft))
            continue;
        step->run(&draft);
        if (step->verify)
            step->verify(&pass);
        if (plan->options->traced)
            note_step(&pass, step->name);
    }
    return pass;
}

Prog *statements_after(const char *name, const Prog *prog, const Options *options)
{
    Plan plan = {.net = prog->net, .options = options, .target = new_target(options)};
    Pass pass = {.prog = copy_prog(prog), .target = plan.target};
    Draft draft = {.plan = &plan, .options = options, .pass = &pass, .weights = plan.target};
    for (int i = 0; i < NSTEPS; i++) {
        if (!steps[i].wanted || steps[i].wanted(&draft))
            steps[i].run(&draft);
        if (!strcmp(steps[i].name, name))
            break;
    }
    return pass.prog;
}

/* ---- net_params ------------------------------------------------------------------------------ */

static int64_t floats_in_line(const Target *target)
{
    return target->machine->line / (int64_t)sizeof(float);
}

/* One weight after the other, each from a whole cache line on, as the laid out tensors of the passes say:
 * the parameters, or behind them the statistics. `floats` lie before them; the result says how many then.
 * Where net_prepare makes something of them, place.c has put them where they are loaded. */
static int64_t layout_params(const Plan *plan, bool statistics, int64_t floats)
{
    const int64_t line = floats_in_line(plan->target);
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
        floats = (floats + t->floats + line - 1) / line * line;
    }
    return floats;
}

/* ---- The choice ------------------------------------------------------------------------------ */

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

/* One machine with vectors of 16 works on them as fast as on 8, another takes twice as long. On the first
 * kind LeNet-5 gains 12 % in training and 18 % in inference by 16. */
static double share_of(const Target *target)
{
    return target->lanes == target->machine->lanes ? target->machine->width_cost : 1;
}

static const Target *with_lanes(const Target *target, int lanes)
{
    Target *copy = NEW(Target);
    *copy = *target;
    copy->lanes = lanes;
    return copy;
}

/* The forward pass with such vectors over channels; its predicted cycles for one sample. */
static double plan_forward(Plan *plan, const Prog *forward, const Target *target)
{
    plan->target = target;
    plan->forward = plan->training = (Pass){0};
    plan->forward = make_pass(plan, forward, target, 0, NULL, NULL);
    return share_of(target) * cycles_of(&plan->forward, 1);
}

/* Training beside it. */
static double plan_training(Plan *plan, const Prog *training)
{
    const Target *target = plan->target;
    if (training)
        plan->training = make_pass(plan, training, target, 0, &plan->forward, NULL);
    return share_of(target) * cycles_of(&plan->training, plan->net->batch);
}

/* The gradients of all lanes are read and written once for each group of samples: what that takes for one
 * of them, where they lie beyond the nearest cache. */
static double gradient_cycles(const Net *net, const Target *target)
{
    const Machine *core = target->machine;
    double bytes = sizeof(float) * (double)net->nparams;
    return bytes * target->lanes > (double)core->first_cache ? 2 * bytes / core->far_pace : 0;
}

/* Training with a sample in each lane of the target's vectors. */
static double plan_samples(Plan *plan, const Prog *training, const Target *target)
{
    plan->training = make_pass(plan, training, target, target->lanes, &plan->forward, NULL);
    return share_of(target) * cycles_of(&plan->training, plan->net->batch)
         + gradient_cycles(plan->net, target);
}

/* May the lanes of training lie over samples? Not where all is written out, and hardly where the gradients
 * of all lanes leave the near caches. */
static bool may_take_samples(const Plan *plan, const Prog *training)
{
    const Options *o = plan->options;
    bool near = plan->net->nparams * plan->target->lanes * (int64_t)sizeof(float)
                 <= plan->target->machine->second_cache
             || o->lanes == LANES_SAMPLES;
    if (o->math == MATH_WINOGRAD && o->lanes != LANES_SAMPLES)
        return false;
    return training && plan->target->lanes > 1 && (o->unroll == UNROLL_AUTO || o->unroll == UNROLL_TILE)
        && near && o->lanes != LANES_CHANNELS && samples_fit_lanes(training);
}

/* What training with a sample in each lane takes beside this forward pass. */
static double cycles_of_samples(const Plan *plan, const Prog *training)
{
    const Mark mark = mark_memory();
    Plan other = *plan;
    double cycles = plan_samples(&other, training, plan->target);
    release(mark);
    return cycles;
}

/* A network of few channels is faster in vectors that it fills: shorter ones, or, in training, such as
 * take a sample in each lane. Where shorter vectors are clearly slower in the forward pass they are not
 * tried in training, nor shorter ones yet. What is not kept is forgotten, so the best is always the last in
 * memory. */
static void choose_lanes(Plan *plan, const Prog *forward, const Prog *training)
{
    enum { FEWEST = 4 };
    static const double clearly_slower = 1.15;
    const Target *widest = plan->target;
    Plan best = *plan;
    Mark behind_forward = mark_memory();
    double least = 0, least_forward = INFINITY, over_samples = INFINITY;
    bool samples = may_take_samples(plan, training);
    for (int lanes = widest->lanes;; lanes /= 2) {
        const Mark before = mark_memory();
        double cycles = plan_forward(plan, forward, with_lanes(widest, lanes));
        if (cycles > clearly_slower * least_forward) {
            release(before);
            break;
        }
        const Mark here = mark_memory();
        least_forward = cycles < least_forward ? cycles : least_forward;
        double training_cycles = plan_training(plan, training);
        if (samples && lanes == widest->lanes)
            over_samples = plan->options->lanes == LANES_SAMPLES ? 0 : cycles_of_samples(plan, training);
        cycles += over_samples < training_cycles ? over_samples : training_cycles;
        if (least == 0 || cycles <= least) {
            best = *plan;
            behind_forward = here;
            least = cycles;
            samples = over_samples < training_cycles;
        } else
            release(before);
        if (lanes <= FEWEST || plan->options->unroll == UNROLL_NONE)
            break;
    }
    *plan = best;
    if (samples) {
        release(behind_forward);
        plan_samples(plan, training, widest);
    }
}

/* As they are commonly counted: of the contractions before any step rewrites them. */
static const int64_t *count_macs(const Net *net, const Prog *forward)
{
    int64_t *macs = NEW_ARRAY(int64_t, net->nlayers + 1);
    for (const Statement *s = forward->statements; s; s = s->next)
        if (s->layer && is_contraction(s))
            macs[s->layer->id] += box_volume(s) * (s->recurrence ? s->recurrence->steps : 1);
    return macs;
}

Plan *make_plan(const Net *net, Prog *forward, Prog *training, const Options *options)
{
    Plan *plan = NEW(Plan);
    plan->net = net;
    plan->options = options;
    plan->target = new_target(options);
    plan->prefix = options->prefix;
    plan->PREFIX = upper(options->prefix);
    plan->macs = count_macs(net, forward);
    choose_lanes(plan, forward, training);
    if (training && training->forward_train)
        plan->forward_train =
            make_pass(plan, training->forward_train, plan->target, 0, &plan->forward, &plan->training);
    if (training && training->evaluation)
        plan->evaluation =
            make_pass(plan, training->evaluation, plan->target, 0, &plan->forward, &plan->training);
    if (forward->next)
        plan->next = make_pass(plan, forward->next, plan->target, 0, &plan->forward, &plan->training);
    plan->floats = layout_params(plan, false, 0);
    if (!plan->floats)
        plan->floats = floats_in_line(plan->target);
    plan->all_floats = layout_params(plan, true, plan->floats);
    if (plan->forward.prepared) /* they share their room with what is made of them */
        plan->floats = plan->all_floats = plan->forward.prepared;
    const Pass *passes[] = {&plan->forward, &plan->training, &plan->forward_train, &plan->evaluation,
                            &plan->next};
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        plan->arena = passes[i]->arena > plan->arena ? passes[i]->arena : plan->arena;
    if (options->unroll == UNROLL_FULL)
        warn_if_unreasonable(plan);
    return plan;
}

