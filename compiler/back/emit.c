/* emit.c: Plan to net.c. It begins with what was compiled and how (report.c) and what its functions call by
 * name (prelude.c, math.c), then has a function for each layer and direction in the network's order
 * (layers.c, function.c), then net_forward and net_backward, which read like the network's text.
 * What is the same in all of them lies in fixed/net.c. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "back/back.h"

/* ---- net_forward, net_backward --------------------------------------------------------------- */

/* Whether a function of the pass touches a tensor of that role. */
static bool touches(const Pass *pass, TensorRole role)
{
    for (const Function *f = pass->functions; f; f = f->next)
        for (int i = 0; i < f->nparams; i++)
            if (pass->root[f->param[i]->id]->role == role)
                return true;
    return false;
}

static bool group_touches_role(const Pass *pass, const Function *begin, const Function *end, TensorRole role)
{
    for (const Function *f = begin; f != end; f = f->next)
        for (int i = 0; i < f->nparams; i++)
            if (pass->root[f->param[i]->id]->role == role)
                return true;
    return false;
}

static bool group_draws(const Function *begin, const Function *end)
{
    for (const Function *f = begin; f != end; f = f->next)
        if (f->uses_random)
            return true;
    return false;
}

/* The loop over samples for a run of functions that take one. */
static void put_sample_loop(FILE *f, const Loop *loop, const Function *begin, const Function *end, int depth)
{
    const Pass *pass = loop->pass;
    const char *P = loop->plan->PREFIX;
    const int in = 4 * depth + 4;
    fprintf(f, "%*sfor (int s = 0; s < %s; s++) {\n", 4 * depth, "", loop->chunks ? "m" : "n");
    if (group_touches_role(pass, begin, end, TENSOR_INPUT))
        fprintf(f, "%*sconst %s *const input = %s + (size_t)s * %s_INPUT;\n", in, "",
                input_type(loop->plan->net), all_samples(loop, pass->prog->x), P);
    if (group_touches_role(pass, begin, end, TENSOR_OUTPUT))
        fprintf(f, "%*sfloat *const %s = %s;\n", in, "", c_name(pass->prog->y->name),
                loop->chunks ? format("%s + (size_t)s * %s_OUTPUT", all_samples(loop, pass->prog->y), P)
                             : answer_at(loop, "s"));
    if (group_touches_role(pass, begin, end, TENSOR_TARGET))
        fprintf(f, "%*sconst %s *const %s = %s + (size_t)s * %s_%s;\n", in, "",
                loop->plan->net->int_targets ? "int" : "float", c_name(pass->prog->t->name),
                all_samples(loop, pass->prog->t), P, targets_macro(loop->plan->net));
    if (group_touches_role(pass, begin, end, TENSOR_INPUT_GRADIENT)) {
        const char *all = all_samples(loop, pass->prog->dx);
        fprintf(f, "%*sfloat *const %s = %s ? %s + (size_t)s * %s_INPUT : NULL;\n", in, "",
                c_name(pass->prog->dx->name), all, all, P);
    }
    const char *number = loop->chunks ? "(first + s)" : "s";
    if (group_draws(begin, end))
        fprintf(f, "%*sconst uint64_t rng = w->rng + (uint64_t)%s * %lldu * NN_GAMMA;\n", in, "", number,
                (long long)pass->prog->draws);
    for (const Function *fn = begin; fn != end; fn = fn->next)
        put_layer_call(f, loop, fn, depth + 1);
    fprintf(f, "%*s}\n", 4 * depth, "");
}

/* Opens the loop over chunks; x, y and t of the chunk at hand get names. */
static void open_chunks(FILE *f, const Loop *loop)
{
    const Pass *pass = loop->pass;
    const char *P = loop->plan->PREFIX, *type = loop->plan->net->int_targets ? "int" : "float";
    fprintf(f, "    for (int first = 0; first < n; first += %lld) {\n", (long long)pass->chunk);
    fprintf(f, "        const int m = n - first < %lld ? n - first : %lld;\n", (long long)pass->chunk,
            (long long)pass->chunk);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_INPUT))
        fprintf(f, "        const %s *const all_input = x + (size_t)first * %s_INPUT;\n",
                input_type(loop->plan->net), P);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_OUTPUT))
        fprintf(f, "        float *const all_%s = %s;\n", c_name(pass->prog->y->name),
                answer_at(loop, "first"));
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_TARGET))
        fprintf(f, "        const %s *const all_%s = %s + (size_t)first * %s_%s;\n", type,
                c_name(pass->prog->t->name), target_name(loop->plan->net), P,
                targets_macro(loop->plan->net));
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_INPUT_GRADIENT))
        fprintf(f, "        float *const all_%s = dx ? dx + (size_t)first * %s_INPUT : NULL;\n",
                c_name(pass->prog->dx->name), P);
}

/* The loop over groups of samples that lie in lanes; what the caller gives begins with the group's first. */
static void put_group_loop(FILE *f, const Loop *loop)
{
    const Pass *pass = loop->pass;
    const char *P = loop->plan->PREFIX;
    bool m = false;
    for (const Function *fn = loop->begin; fn != loop->end; fn = fn->next)
        m |= fn->uses_at_hand;
    fprintf(f, "    for (int first = 0; first < n; first += %lld) {\n", (long long)pass->samples);
    if (m)
        fprintf(f, "        const int m = n - first < %lld ? n - first : %lld;\n", (long long)pass->samples,
                (long long)pass->samples);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_INPUT))
        fprintf(f, "        const %s *const input = x + (size_t)first * %s_INPUT;\n",
                input_type(loop->plan->net), P);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_TARGET))
        fprintf(f, "        const %s *const %s = %s + (size_t)first * %s_%s;\n",
                loop->plan->net->int_targets ? "int" : "float", c_name(pass->prog->t->name),
                target_name(loop->plan->net), P, targets_macro(loop->plan->net));
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_INPUT_GRADIENT))
        fprintf(f, "        float *const %s = dx ? dx + (size_t)first * %s_INPUT : NULL;\n",
                c_name(pass->prog->dx->name), P);
    for (const Function *fn = loop->begin; fn != loop->end; fn = fn->next)
        put_layer_call(f, loop, fn, 2);
    fprintf(f, "    }\n");
}

static void put_loop(FILE *f, Loop *loop)
{
    const Pass *pass = loop->pass;
    if (pass->samples) {
        put_group_loop(f, loop);
        return;
    }
    for (const Function *fn = loop->begin; fn != loop->end; fn = fn->next)
        loop->chunks |= fn->batched && pass->chunk < pass->batch;
    if (loop->chunks)
        open_chunks(f, loop);
    int depth = 1 + loop->chunks;
    for (const Function *fn = loop->begin, *end; fn != loop->end; fn = end) {
        for (end = fn; end != loop->end && end->batched == fn->batched;)
            end = end->next;
        if (fn->batched)
            for (; fn != end; fn = fn->next)
                put_layer_call(f, loop, fn, depth);
        else
            put_sample_loop(f, loop, fn, end, depth);
    }
    if (loop->chunks)
        fprintf(f, "    }\n");
}

/* The phase that begins with that function. */
static Loop phase_from(const Plan *plan, const Pass *pass, const Function *fn)
{
    Loop loop = {.plan = plan, .pass = pass, .once = fn, .const_params = *const_of_params(pass, plan),
                 .declared = pass->functions};
    while (fn && fn->per_call)
        fn = fn->next;
    loop.begin = fn;
    while (fn && !fn->per_call && fn->phase == loop.begin->phase)
        fn = fn->next;
    loop.end = fn;
    return loop;
}

/* What is done once, then the loop over the samples. */
static void put_phase(FILE *f, Loop *loop)
{
    for (const Function *fn = loop->once; fn != loop->begin; fn = fn->next)
        if (!loop->pass->prepares)
            put_layer_call(f, loop, fn, 1);
    if (loop->begin != loop->end)
        put_loop(f, loop);
}

/* By a buffer's number: is it touched by what is done once? */
static bool *touched_once(const Pass *pass)
{
    int n = 0;
    for (const Buffer *b = pass->buffers; b; b = b->next)
        n++;
    bool *touched = NEW_ARRAY(bool, n + 1);
    for (const Function *fn = pass->functions; fn; fn = fn->next)
        for (int i = 0; fn->per_call && i < fn->nparams; i++)
            if (buffer_of(pass, fn->param[i]))
                touched[buffer_of(pass, fn->param[i])->number] = true;
    return touched;
}

/* What lies in net_params, where the loop's functions touch it. */
static void put_prepared_buffers(FILE *f, const Loop *loop)
{
    const bool *once = touched_once(loop->pass);
    for (const Buffer *b = loop->pass->buffers; b; b = b->next)
        if (b->prepared && (loop->prepares ? once[b->number] : b->lasting))
            put_buffer(f, loop, b);
}

/* What depends on the weights alone, once for all calls. What has been folded must not be folded again. */
static void put_prepare(FILE *f, const Plan *plan, const FixedWord *words)
{
    const Pass *pass = &plan->forward;
    put_fixed(f, "net.c: is_prepared", words);
    put_fixed(f, "net.c: prepare begins", words);
    Loop loop = {.plan = plan, .pass = pass, .const_params = *const_of_params(pass, plan),
                 .declared = pass->functions, .prepares = true};
    put_prepared_buffers(f, &loop);
    for (const Function *fn = pass->functions; fn; fn = fn->next)
        if (fn->per_call)
            put_layer_call(f, &loop, fn, 1);
    put_fixed(f, "net.c: prepare ends", words);
}

/* ---- Steps -----------------------------------------------------------------------------------
 *
 * A pass of many loops over samples, as batchnorm makes them, would begin with hundreds of buffers and go on
 * for a thousand lines. There each phase is a function with the buffers that it touches, and the pass is the
 * list of their calls. */

enum { MOST_LOOPS = 8 };

static bool has_steps(const Plan *plan, const Pass *pass)
{
    int n = 0;
    for (const Function *fn = pass->functions; fn; fn = phase_from(plan, pass, fn).end)
        n++;
    return n > MOST_LOOPS && !pass->prepared;
}

static const char *pass_name(const Loop *loop)
{
    return loop->pass == &loop->plan->training     ? "backward"
         : loop->pass == &loop->plan->evaluation   ? "loss"
         : loop->pass == &loop->plan->forward_train ? "forward_train"
                                                    : "forward";
}

/* What it works for, in their order, each once: all, or from which to which. What is done once prepares or
 * ends a loop, so it counts only where there is none. */
static const char *layers_of(const Loop *loop)
{
    enum { MOST_NAMED = 3 };
    const Function *named[MOST_NAMED] = {NULL}, *last = NULL;
    int n = 0;
    for (const Function *fn = loop->begin != loop->end ? loop->begin : loop->once; fn != loop->end;
         fn = fn->next) {
        bool known = false;
        for (int i = 0; i < n && i < MOST_NAMED; i++)
            known |= named[i]->layer == fn->layer && named[i]->backward == fn->backward;
        if (known)
            continue;
        last = fn;
        if (n < MOST_NAMED)
            named[n] = fn;
        n++;
    }
    const char *text = named[0]->layer->name, *direction = last->backward ? " backward" : "";
    if (n > MOST_NAMED)
        return format("%s to %s%s", text, last->layer->name, direction);
    for (int i = 1; i < n; i++)
        text = format("%s, %s", text, named[i]->layer->name);
    return format("%s%s", text, direction);
}

/* Is there a function that is called only where that gradient is wanted? */
static bool has_purpose(const Loop *loop, Purpose purpose)
{
    for (const Function *fn = loop->once; fn != loop->end; fn = fn->next)
        if (fn->purpose == purpose)
            return true;
    return false;
}

/* What the function of a phase takes of what the pass has: as parameters, or as arguments. */
static const char *step_params(const Loop *loop, bool types)
{
    const Plan *plan = loop->plan;
    const Pass *pass = loop->pass;
    const Buffer **buffers;
    bool touched[TENSOR_VALUE + 1] = {false}, mean = false, samples = false, draws = false;
    for (int role = 0; role <= TENSOR_VALUE; role++)
        touched[role] = group_touches_role(pass, loop->once, loop->end, role);
    for (const Function *fn = loop->once; fn != loop->end; fn = fn->next) {
        mean |= fn->uses_mean;
        samples |= fn->uses_samples;
        draws |= fn->uses_random;
    }
    bool unwanted = touched[TENSOR_OUTPUT] && pass == &plan->evaluation && !holds_all_answers(pass);
    const struct { bool given; const char *type, *name; } all[] = {
        {touched[TENSOR_WEIGHT], format("%s%s_params *", const_of_params(pass, plan), plan->prefix), "p"},
        {draws || unwanted || buffers_of(pass, loop->once, loop->end, &buffers),
         format("%s_work *", plan->prefix), "w"},
        {loop->begin != loop->end, "int ", "n"},
        {touched[TENSOR_INPUT], pass->prog->x->is_int ? "const int *" : "const float *", "x"},
        {touched[TENSOR_TARGET], plan->net->int_targets ? "const int *" : "const float *",
         target_name(plan->net)},
        {touched[TENSOR_OUTPUT], "float *", "y"},
        {touched[TENSOR_GRADIENT] || has_purpose(loop, FOR_WEIGHTS), format("%s_params *", plan->prefix),
         "g"},
        {touched[TENSOR_INPUT_GRADIENT] || has_purpose(loop, FOR_INPUT), "float *", "dx"},
        {mean, "float ", "mean"},
        {samples, "float ", "samples"},
        {touched[TENSOR_LOSS], types ? "float *" : "&", "loss"},
    };
    const char *text = "";
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].given)
            text = format("%s%s%s%s", text, *text ? ", " : "",
                          types || *all[i].type == '&' ? all[i].type : "", all[i].name);
    return text;
}

/* net_backward_basic2_conv1: its pass or direction, and its first layer; the second that begins there has a 2
 * behind it. */
static const char *step_name_of(const Loop *loop)
{
    const Pass *pass = loop->pass;
    const char *name = NULL;
    int number = 0;
    for (const Function *fn = pass->functions; fn != loop->end;) {
        const Loop earlier = phase_from(loop->plan, pass, fn);
        const Function *first = earlier.begin != earlier.end ? earlier.begin : earlier.once;
        const Function *mine = loop->begin != loop->end ? loop->begin : loop->once;
        if (first->layer == mine->layer && first->backward == mine->backward)
            number++;
        if (first == mine)
            name = format("%s_%s_%s", loop->plan->prefix,
                          pass == &loop->plan->training && !mine->backward ? "training" : pass_name(loop),
                          c_name(mine->layer->name));
        fn = earlier.end;
    }
    return number > 1 ? format("%s_%d", name, number) : name;
}

static void put_step(FILE *f, Loop *loop)
{
    const Buffer **buffers;
    loop->apart = true;
    loop->declared = loop->once;
    loop->declared_end = loop->end;
    fprintf(f, "/* %s */\nstatic NOINLINE void %s(%s)\n{\n", comment_text(layers_of(loop)),
            step_name_of(loop), step_params(loop, true));
    int n = buffers_of(loop->pass, loop->once, loop->end, &buffers);
    for (int i = 0; i < n; i++)
        put_buffer(f, loop, buffers[i]);
    put_phase(f, loop);
    fprintf(f, "}\n\n");
}

/* Before the pass: the functions of its phases, where it has many. */
static void put_steps(FILE *f, const Plan *plan, const Pass *pass)
{
    Loop loop;
    for (const Function *fn = has_steps(plan, pass) ? pass->functions : NULL; fn; fn = loop.end) {
        loop = phase_from(plan, pass, fn);
        put_step(f, &loop);
    }
}

/* In the pass: its phases, or the calls of their functions. */
static void put_calls(FILE *f, const Plan *plan, const Pass *pass)
{
    const bool steps = has_steps(plan, pass);
    Loop loop;
    for (const Function *fn = pass->functions; fn; fn = loop.end) {
        loop = phase_from(plan, pass, fn);
        if (!steps) {
            put_phase(f, &loop);
            continue;
        }
        const char *call = format("%s(%s);", step_name_of(&loop), step_params(&loop, false));
        fprintf(f, "    %s   /* %s */\n", call, comment_text(layers_of(&loop)));
    }
}

static void put_buffers(FILE *f, const Plan *plan, const Pass *pass)
{
    const Loop loop = {.plan = plan, .pass = pass, .declared = pass->functions};
    for (const Buffer *b = has_steps(plan, pass) ? NULL : pass->buffers; b; b = b->next)
        if (!b->prepared)
            put_buffer(f, &loop, b);
}

/* ---- The passes ------------------------------------------------------------------------------ */

static void put_unused(FILE *f, const Pass *pass, bool uses_w)
{
    if (!touches(pass, TENSOR_INPUT))
        put_fixed(f, "net.c: unused x", NULL);
    if (!touches(pass, TENSOR_WEIGHT) && !pass->prepared)
        put_fixed(f, "net.c: unused p", NULL);
    if (!pass->arena && !uses_w)
        put_fixed(f, "net.c: unused w", NULL);
}

/* Weights as they were loaded mean nothing to net_forward; and no answer is better than a wrong one. */
static void put_forward(FILE *f, const Plan *plan, const FixedWord *words)
{
    const Pass *pass = &plan->forward;
    put_steps(f, plan, pass);
    if (pass->prepared)
        put_prepare(f, plan, words);
    put_fixed(f, "net.c: forward begins", words);
    if (pass->prepared) {
        put_fixed(f, "net.c: forward is prepared", words);
        const Loop loop = {.plan = plan, .pass = pass, .declared = pass->functions};
        put_prepared_buffers(f, &loop);
    }
    put_buffers(f, plan, pass);
    put_unused(f, pass, false);
    put_calls(f, plan, pass);
    put_fixed(f, "net.c: forward ends", words);
}

static bool uses_mean(const Pass *pass)
{
    for (const Function *f = pass->functions; f; f = f->next)
        if (f->uses_mean)
            return true;
    return false;
}

static bool uses_samples(const Pass *pass)
{
    for (const Function *f = pass->functions; f; f = f->next)
        if (f->uses_samples)
            return true;
    return false;
}

/* The function that says what a mean over labels divides by: their number, or the sum of their weights. */
static void put_counted(FILE *f, const Net *net, const FixedWord *words)
{
    if (!net->class_weights) {
        put_fixed(f, "net.c: counted", words);
        return;
    }
    int64_t classes = net->loss_in->shape.c;
    put_fixed(f, "net.c: counted by weights begins", words);
    fprintf(f, "    static const float class_weight[%lld] = {", (long long)classes);
    for (int64_t c = 0; c < classes; c++)
        fprintf(f, "%s%s",
                c % 10         ? ", "
                : c            ? ",\n        "
                : classes > 10 ? "\n        "
                               : "",
                c_float(net->class_weights[c]));
    fprintf(f, "};\n");
    put_fixed(f, "net.c: counted by weights ends", words);
}

/* What a mean over the call divides by: its samples, or what of their targets is counted. */
static void put_mean(FILE *f, const Net *net, const FixedWord *words)
{
    put_fixed(f, !net->ignores        ? "net.c: mean"
                 : net->class_weights ? "net.c: mean with class weights"
                                      : "net.c: mean of those counted", words);
}

static void check_samples(FILE *f, const Pass *pass, const FixedWord *words)
{
    put_fixed(f, least_samples(pass->prog) > 1 ? "net.c: backward checks n for a variance"
                                               : "net.c: backward checks n", words);
}

static void put_forward_train(FILE *f, const Plan *plan, const FixedWord *words)
{
    const Pass *pass = &plan->forward_train;
    put_steps(f, plan, pass);
    put_fixed(f, "net.c: forward_train begins", words);
    check_samples(f, pass, words);
    put_fixed(f, "net.c: forward_train checks x and y", words);
    put_buffers(f, plan, pass);
    if (uses_samples(pass))
        put_fixed(f, "net.c: samples", words);
    put_unused(f, pass, pass->prog->draws > 0);
    put_calls(f, plan, pass);
    put_fixed(f, "net.c: forward ends", words);
}

static void put_backward(FILE *f, const Plan *plan, const FixedWord *words)
{
    const Pass *pass = &plan->training;
    const bool from_caller = plan->net->from_caller;
    put_steps(f, plan, pass);
    if (plan->evaluation.prog && plan->net->ignores)
        put_counted(f, plan->net, words);
    put_fixed(f, from_caller ? "net.c: backward from the caller begins" : "net.c: backward begins", words);
    check_samples(f, pass, words);
    put_fixed(f, from_caller ? "net.c: backward checks x and dy" : "net.c: backward checks x and t", words);
    put_buffers(f, plan, pass);
    if (uses_mean(pass))
        put_mean(f, plan->net, words);
    if (uses_samples(pass))
        put_fixed(f, "net.c: samples", words);
    if (!from_caller)
        put_fixed(f, "net.c: loss", words);
    put_unused(f, pass, true);
    if (from_caller && plan->net->input.of)
        put_fixed(f, "net.c: tokens have no gradient", words);
    if (from_caller && !touches(pass, TENSOR_TARGET))
        put_fixed(f, "net.c: unused dy", words);
    put_fixed(f, from_caller ? "net.c: clear wanted gradients" : "net.c: clear gradients", words);
    put_calls(f, plan, pass);
    if (pass->prog->draws)
        put_fixed(f, "net.c: move rng", words);
    put_fixed(f, from_caller ? "net.c: backward from the caller ends" : "net.c: backward ends", words);
}

static void put_loss(FILE *f, const Plan *plan, const FixedWord *words)
{
    const Pass *pass = &plan->evaluation;
    put_steps(f, plan, pass);
    put_fixed(f, "net.c: loss begins", words);
    put_fixed(f, "net.c: backward checks n", words);
    put_fixed(f, "net.c: backward checks x and t", words);
    put_buffers(f, plan, pass);
    if (holds_all_answers(pass))
        fprintf(f, "    if (!y)\n        y = w->arena + %lld;\n", (long long)pass->unwanted);
    put_mean(f, plan->net, words);
    put_fixed(f, "net.c: loss", words);
    put_unused(f, pass, false);
    put_calls(f, plan, pass);
    put_fixed(f, "net.c: backward ends", words);
}

/* ---- net_next -------------------------------------------------------------------------------- */

/* The calls of the one position: no loop. */
static void put_next(FILE *f, const Plan *plan, const FixedWord *words)
{
    const Pass *pass = &plan->next;
    const bool counts = counts_positions(pass);
    put_fixed(f, "net.c: next begins", words);
    if (counts)
        put_fixed(f, "net.c: next counts", words);
    put_buffers(f, plan, pass);
    put_unused(f, pass, false);
    if (!counts && !touches(pass, TENSOR_STATE))
        put_fixed(f, "net.c: unused s", NULL);
    if (touches(pass, TENSOR_INPUT))
        fprintf(f, "    const %s *const %s = x;\n", input_type(plan->net), c_name(pass->prog->x->name));
    fprintf(f, "    float *const %s = y;\n", c_name(pass->prog->y->name));
    const Loop loop = {.plan = plan, .pass = pass, .const_params = true, .declared = pass->functions};
    for (const Function *fn = pass->functions; fn; fn = fn->next)
        put_layer_call(f, &loop, fn, 1);
    put_fixed(f, "net.c: next ends", words);
}

/* ---- --weights ------------------------------------------------------------------------------- */

/* The numbers of an array, in braces for each of its dimensions. Gives those behind them. */
static const float *put_array(FILE *f, const Tensor *array, int dimension, const float *v)
{
    if (dimension == array->rank)
        return fprintf(f, "%s", c_float((double)*v)), v + 1;
    Mark mark = mark_memory();
    fprintf(f, "{");
    for (int64_t i = 0; i < array->room[dimension]; i++) {
        fprintf(f, "%s", i ? ", " : "");
        if (dimension + 1 < array->rank || (i % 8 == 0 && array->room[dimension] > 8))
            fprintf(f, "\n        ");
        v = put_array(f, array, dimension + 1, v);
    }
    release(mark);
    fprintf(f, "}");
    return v;
}

/* As far as they are read. What says that they are prepared is a NaN that C has no word for. */
static void put_prepared_weights(FILE *f, const Plan *plan, const char *linkage)
{
    fprintf(f, "\n#ifndef __GNUC__\n#error \"nnc: it takes gcc or clang to write prepared weights as a "
               "constant\"\n#endif\n%sconst float %s_prepared_weights[%lld] NN_ALIGNED = {", linkage,
            plan->prefix, (long long)plan->forward.kept);
    for (int64_t i = 0; i < plan->forward.kept; i++)
        fprintf(f, "%s%s", i % 8 ? ", " : i ? ",\n    " : "\n    ",
                i == plan->forward.mark ? "__builtin_nanf(\"0xa6e6e\")" : c_float((double)plan->weights[i]));
    fprintf(f, "\n};\n");
}

/* The weights of a file. */
static void put_weights(FILE *f, const Plan *plan)
{
    const char *linkage = plan->options->is_static ? "NN_STATIC " : "";
    if (plan->forward.prepared) {
        put_prepared_weights(f, plan, linkage);
        return;
    }
    fprintf(f, "\n%sconst %s_params %s_weights = {", linkage, plan->prefix, plan->prefix);
    for (const Weight *w = plan->net->weights; w; w = w->next) {
        fprintf(f, "\n    .%s = ", c_name(w->name));
        put_array(f, w->array, 0, plan->weights + w->offset);
        fprintf(f, ",");
    }
    fprintf(f, "\n};\n");
}

void emit_source(FILE *f, const Plan *plan, const char *header_name)
{
    put_head(f, plan);
    const FixedWord *words = net_words(plan);
    Uses uses[2] = {{0}};
    bool *tables[MOST_PASSES] = {NULL};
    TextStream memory;
    FILE *functions = open_text(&memory);
    for (int i = 0; i < MOST_PASSES; i++) {
        const Pass *pass = pass_of(plan, i);
        tables[i] = NEW_ARRAY(bool, pass ? pass->prog->ntensors : 0);
        if (pass)
            put_layers_functions(functions, plan, pass, tables[i], &uses[*kind_of(plan, pass) != 0]);
    }
    put_forward(functions, plan, words);
    if (plan->forward_train.prog)
        put_forward_train(functions, plan, words);
    if (plan->training.prog)
        put_backward(functions, plan, words);
    if (plan->evaluation.prog)
        put_loss(functions, plan, words);
    if (plan->next.prog)
        put_next(functions, plan, words);
    put_model(functions, plan, words);
    if (plan->weights)
        put_weights(functions, plan);
    close_text(&memory);
    put_prelude(f, plan, header_name, uses, strstr(memory.text, "NOINLINE"));
    put_constants(f, plan, tables);
    put_lines(f, &memory);
}
