/* header.c: Plan to net.h, the manual of its network: sizes, types, functions, who owns what. The text lies
 * in fixed/net.h. */
#include <stdlib.h>
#include <string.h>

#include "back/back.h"

static const char *weight_shape(const Weight *w)
{
    return dims_text(w->rank, w->dim, "[", ", ", "]");
}

static const char *weight_arrays(const Weight *w)
{
    return dims_text(w->array->rank, w->array->room, "[", "][", "]");
}

/* Where nothing asks for the position, it has no number, and there is no end. */
bool counts_positions(const Pass *next)
{
    for (const Function *f = next->functions; f; f = f->next)
        if (f->uses_step)
            return true;
    return false;
}

/* ---- net.h ----------------------------------------------------------------------------------- */

static const Weight *next_weight(const Weight *w, bool statistic)
{
    while (w && w->statistic != statistic)
        w = w->next;
    return w;
}

/* net_backward writes to the weights it is given where it keeps statistics. */
const char *const_of_params(const Pass *pass, const Plan *plan)
{
    bool keeps = pass->prog->training && !pass->prog->answers && next_weight(plan->net->weights, true);
    return keeps ? "" : "const ";
}

const char *backward_const(const Plan *plan)
{
    return const_of_params(&plan->training, plan);
}

const char *input_type(const Net *net)
{
    return net->input.of ? "int" : "float";
}

static const char *target_text(const Plan *plan)
{
    const Net *net = plan->net;
    if (!net->int_targets)
        return format("n x %lld numbers, one for each output", (long long)net->targets);
    if (net->targets == 1)
        return format("n class labels, 0 to %lld", (long long)(net->out->shape.c - 1));
    return format("n x %lld class labels (%s), 0 to %lld", (long long)net->targets,
                  net->out->shape.rank == 2 ? "one for each position" : "H, W order",
                  (long long)(net->out->shape.c - 1));
}

/* What stands for the names and numbers in fixed/net.h and fixed/net.c. */
const FixedWord *net_words(const Plan *plan)
{
    const Net *net = plan->net;
    const Prog *training = plan->training.prog;
    const char *file = plan->options->weights_file, *slash = file ? strrchr(file, '/') : NULL;
    const bool sequence = net->input.rank == 2;
    const int64_t positions = plan->next.prog ? positions_in(net) : 1;
    const char *const p = plan->prefix, *const P = plan->PREFIX;
    const FixedWord words[] = {
        {"WEIGHTS_FILE", comment_text(slash ? slash + 1 : file ? file : "")},
        {"EXTERN", plan->options->is_static ? "NN_STATIC" : "extern"},
        {"EXTERN_", plan->options->is_static ? "NN_STATIC " : ""},
        {"net_", format("%s_", p)},
        {"NET_", format("%s_", P)},
        {"net", p},
        {"NNC_VERSION", NNC_VERSION},
        {"NNC_INTERFACE", format("%d", NNC_INTERFACE)},
        {"RUNTIME", format("nn_interface_%d", NNC_INTERFACE)},
        {"SOURCE_FILE", comment_text(net->file)},
        {"NEW_PARAMS", format("%-30s", format("new %s_params;", p))},
        {"ARENA_FLOATS", format("%lld", (long long)(plan->arena ? plan->arena : 16))},
        {"ANSWERS",
         format("%s_OUTPUT%s", P, net->out->producer->kind->probabilities ? " probabilities" : "")},
        {"PARAMS", format("%s%s_params", training ? backward_const(plan) : "", p)},
        {"TARGET", net->int_targets ? "int" : "float"},
        {"TARGETS", target_text(plan)},
        {"ELEMENT", input_type(net)},
        {"ELEMENTS", net->input.of ? "tokens" : "floats"},
        {"VOCABULARY", format("%lld", (long long)net->input.of)},
        {"LOSS_NAME", format("\"%s\"", net->loss->kind->name)},
        {"ARE_LOGITS", net->loss->kind->absorbs && net->loss_in == net->out ? "1" : "0"},
        {"LABELS", net->targets == 1 ? "(size_t)n" : format("(size_t)n * %lld", (long long)net->targets)},
        {"IGNORED", format("%d", net->ignored)},
        {"LEAST", format("%lld", (long long)(training ? least_samples(training) : 1))},
        {"MOST", format("%lld", (long long)net->batch)},
        {"MARK", format("%lld", (long long)plan->forward.mark)},
        {"KEPT", format("%lld", (long long)plan->forward.kept)},
        {"CLASSES", format("%lld", (long long)net->loss_in->shape.c)},
        {"DRAWS", format("%lldu", training ? (long long)training->draws : 0)},
        {"IS_INT_TARGETS", net->int_targets ? "1" : "0"},
        {"INPUT_C", format("%lld", (long long)(sequence ? net->input.h : net->input.c))},
        {"INPUT_H", format("%lld", (long long)(sequence ? net->input.c : net->input.h))},
        {"INPUT_W", format("%lld", (long long)(sequence ? 0 : net->input.w))},
        {"NTENSORS", format("%d", net->nweights)},
        {"TENSORS", net->weights ? format("%s_tensors", p) : "NULL"},
        {"TARGETS_OR_NONE", net->from_caller ? "0" : format("%s_TARGETS", P)},
        {"BACKWARD", training && !net->from_caller ? format("%s_model_backward", p) : "NULL"},
        {"LOSS", plan->evaluation.prog ? format("%s_model_loss", p) : "NULL"},
        {"SET_RNG", training ? format("%s_model_set_rng", p) : "NULL"},
        {"SET_ADD", training ? format("%s_model_set_add", p) : "NULL"},
        {"PREPARE", plan->forward.prepared ? format("%s_model_prepare", p) : "NULL"},
        {"STEP_INPUT", format("%s_INPUT / %lld", P, (long long)positions)},
        {"STEP_OUTPUT", format("%s_OUTPUT / %lld", P, (long long)positions)},
        {"POSITIONS", format("%lld", (long long)positions)},
        {"NEXT_RETURNS", !counts_positions(&plan->next)
                             ? "Gives 1: there may be any number of positions"
                             : format("Gives 1; 0, and does nothing, once there were %lld",
                                      (long long)positions)},
        {0},
    };
    FixedWord *copy = NEW_ARRAY(FixedWord, sizeof words / sizeof *words);
    memcpy(copy, words, sizeof words);
    return copy;
}

/* Where net_prepare makes something of the weights, what is loaded and what is made of it lie in the same
 * memory. */
static void put_prepared_struct(FILE *f, const Plan *plan, const FixedWord *words)
{
    put_fixed(f, "net.h: prepared weights", words);
    for (const Weight *w = plan->net->weights; w; w = w->next)
        fprintf(f, " *     %s %s\n", w->name, weight_shape(w));
    put_fixed(f, "net.h: prepared params", words);
}

static void put_params_struct(FILE *f, const Plan *plan, const FixedWord *words)
{
    if (plan->forward.prepared) {
        put_prepared_struct(f, plan, words);
        return;
    }
    put_fixed(f, plan->training.prog ? "net.h: weights and gradients" : "net.h: weights", words);
    put_fixed(f, "net.h: params", words);
    int padding = 0;
    const char *align = "NN_ALIGNED ";
    for (int statistics = 0; statistics < 2; statistics++) {
        const Weight *w = next_weight(plan->net->weights, statistics);
        if (statistics && w)
            put_fixed(f, format("net.h: statistics of %s", plan->training.prog ? "training" : "inference"),
                      words);
        for (const Weight *next; w; w = next) {
            next = next_weight(w->next, statistics);
            fprintf(f, "    %sfloat %s%s;   /* %s %s */\n", align, c_name(w->name), weight_arrays(w), w->name,
                    weight_shape(w));
            align = "";
            int64_t at = w->offset + w->array->floats;
            int64_t end = next ? next->offset : statistics ? plan->all_floats : plan->floats;
            if (end > at)
                fprintf(f, "    float padding%d[%lld];\n", ++padding, (long long)(end - at));
        }
        if (!statistics && !next_weight(plan->net->weights, false))
            fprintf(f, "    %sfloat padding%d[%lld];   /* the network has no parameters */\n", align,
                    ++padding, (long long)plan->floats);
        align = "";
    }
    put_fixed(f, "net.h: end of params", words);
}

/* The sections of a comment, each a line or more, up to what ends it. */
static void put_comment(FILE *f, const char *const *sections, const FixedWord *words)
{
    for (const char *before = ""; *sections; sections++, before = "\n") {
        const char *text = fixed_text(*sections, words);
        fprintf(f, "%s%.*s", before, (int)strlen(text) - 1, text);
    }
    fprintf(f, " */\n");
}

static void put_prototypes(FILE *f, const Plan *plan, const FixedWord *words)
{
    put_fixed(f, "net.h: init", words);
    if (plan->forward.prepared)
        put_fixed(f, "net.h: prepare", words);
    put_fixed(f, "net.h: forward", words);
    if (!plan->training.prog)
        return;
    const bool from_caller = plan->net->from_caller;
    const char *sections[6] = {!from_caller          ? "net.h: backward"
                               : plan->net->input.of ? "net.h: backward of tokens from the caller"
                                                     : "net.h: backward from the caller"};
    const char **next = sections + 1;
    if (from_caller)
        put_fixed(f, "net.h: forward_train", words);
    if (plan->net->int_targets)
        *next++ = plan->net->ignores ? "net.h: backward with labels not counted"
                                     : "net.h: backward with labels";
    if (plan->training.prog->draws)
        *next++ = "net.h: backward with dropout";
    *next++ = "net.h: backward with add";
    if (!*backward_const(plan))
        *next++ = least_samples(plan->training.prog) > 1 ? "net.h: backward with variances"
                                                         : "net.h: backward with statistics";
    put_comment(f, sections, words);
    put_fixed(f, from_caller ? "net.h: backward from the caller itself" : "net.h: backward itself", words);
    if (plan->evaluation.prog)
        put_fixed(f, "net.h: loss", words);
}

/* Whole lines of the cache, with room for the rest of a vector that is read. */
int64_t state_floats(const Plan *plan, const Tensor *t)
{
    const int64_t line = 16, floats = t->floats + (t->overrun ? plan->target->lanes - 1 : 0);
    return (floats + line - 1) / line * line;
}

static void put_state_struct(FILE *f, const Plan *plan, const FixedWord *words)
{
    const char *align = "NN_ALIGNED ";
    put_fixed(f, "net.h: state", words);
    for (const Tensor *t = plan->next.prog->tensors; t; t = t->next) {
        if (t->role != TENSOR_STATE)
            continue;
        fprintf(f, "    %sfloat %s[%lld];   /* %s */\n", align, c_name(t->name),
                (long long)state_floats(plan, t), dims_text(t->rank, t->room, "", "x", ""));
        align = "";
    }
    if (counts_positions(&plan->next))
        fprintf(f, "    %s%s", align, fixed_text("net.h: position of state", words) + strlen("    "));
    else if (*align)
        put_fixed(f, "net.h: no state", words);
    put_fixed(f, "net.h: end of state", words);
}

/* Where each of several inputs, or answers, lies within a sample. */
static void put_part_sizes(FILE *f, const char *P, const char *what, const Part *parts)
{
    int width = 0;
    for (const Part *part = parts; part; part = part->next)
        width = (int)strlen(c_name(part->label)) > width ? (int)strlen(c_name(part->label)) : width;
    for (const Part *part = parts; part; part = part->next) {
        const char *label = c_name(part->label);
        fprintf(f, "#define %s_%s_%-*s %-10lld /* its %s in each sample, %s, */\n", P, what, width, label,
                (long long)shape_count(part->value->shape), part->value->shape.of ? "tokens" : "floats",
                shape_text(part->value->shape));
        fprintf(f, "#define %s_AT_%-*s %-10lld /* which begin here */\n", P, width + (int)strlen(what) - 2,
                label, (long long)part->at);
    }
}

static const char *order_of(Shape shape)
{
    return shape.rank == 3 ? ", C,H,W order" : shape.rank == 2 ? ", one position behind the other" : "";
}

static void put_sizes(FILE *f, const Plan *plan)
{
    const Net *net = plan->net;
    struct { const char *name; int64_t value; const char *text;
    } sizes[] = {
        {"INPUT", shape_count(net->input),
         format("%s in one sample%s", net->input.of ? "tokens" : "floats", order_of(net->input))},
        {"VOCABULARY", net->input.of,
         net->input.of ? format("tokens are ints from 0 to %lld; the features of others are NaN",
                                (long long)net->input.of - 1) : NULL},
        {"OUTPUT", shape_count(net->out->shape),
         format("floats in one answer%s", order_of(net->out->shape))},
        {"TARGETS", net->targets,
         net->from_caller   ? NULL
         : net->int_targets ? "labels of one sample"
                            : "floats in one sample's target"},
        {"BATCH", net->batch, "maximum number of samples in a call"},
        {"PARAMS", net->nparams, "learnable parameters"},
        {"FLOATS", plan->floats,
         plan->forward.prepared ? "floats in the weights and in what is made of them"
                                : "floats in the weights, padding (always 0) included"},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].text)
            fprintf(f, "#define %s_%-*s %-10lld /* %s */\n", plan->PREFIX, net->input.of ? 10 : 7,
                    sizes[i].name, (long long)sizes[i].value, sizes[i].text);
    put_part_sizes(f, plan->PREFIX, "INPUT", net->inputs);
    put_part_sizes(f, plan->PREFIX, "OUTPUT", net->answers);
    fprintf(f, "\n");
}

static void put_header(FILE *f, const Plan *plan)
{
    const FixedWord *words = net_words(plan);
    put_fixed(f, "net.h: manual", words);
    if (plan->training.prog)
        put_fixed(f, plan->net->from_caller ? "net.h: manual of training from the caller"
                                            : "net.h: manual of training", words);
    if (plan->next.prog)
        put_fixed(f, "net.h: manual of one position", words);
    put_fixed(f, "net.h: manual of memory", words);
    put_fixed(f, "net.h: interface", words);
    put_sizes(f, plan);
    put_params_struct(f, plan, words);
    put_fixed(f, plan->training.prog ? "net.h: work" : "net.h: work of inference", words);
    put_fixed(f, "net.h: work begins", words);
    if (plan->training.prog)
        put_fixed(f, "net.h: work adds", words);
    put_fixed(f, "net.h: work ends", words);
    if (plan->next.prog)
        put_state_struct(f, plan, words);
    put_fixed(f, "net.h: model", words);
    put_prototypes(f, plan, words);
    if (plan->next.prog)
        put_fixed(f, "net.h: next", words);
    if (plan->weights)
        put_fixed(f, plan->forward.prepared ? "net.h: prepared weights of a file"
                                            : "net.h: weights of a file", words);
    put_fixed(f, "net.h: end of header", words);
}

void emit_header(FILE *f, const Plan *plan)
{
    TextStream header;
    put_header(open_text(&header), plan);
    close_text(&header);
    put_lines(f, &header);
}
