/* calls.c: a call of a layer's function: what it is given, as the loop around it has it. */
#include <stdlib.h>
#include <string.h>

#include "back/back.h"

/* What net_backward is given beside x: targets, or the gradient of the answer. */
const char *target_name(const Net *net)
{
    return net->from_caller ? "dy" : "t";
}

const char *targets_macro(const Net *net)
{
    return net->from_caller ? "OUTPUT" : "TARGETS";
}

/* Does the scratch memory of net_loss hold the answers of all samples, where the caller doesn't want them?
 * Else it holds those of the samples at hand. */
bool holds_all_answers(const Pass *pass)
{
    return pass->chunk >= pass->batch;
}

/* Where the answer of that sample of the call begins. */
const char *answer_at(const Loop *loop, const char *sample)
{
    const char *at = format("y + (size_t)%s * %s_OUTPUT", sample, loop->plan->PREFIX);
    return loop->pass != &loop->plan->evaluation || holds_all_answers(loop->pass)
             ? at
             : format("y ? %s : w->arena + %lld", at, (long long)loop->pass->unwanted);
}

/* Of what the caller has: where the first sample of the call or of the chunk lies. */
const char *all_samples(const Loop *loop, const Tensor *root)
{
    if (loop->chunks)
        return format("all_%s", c_name(root->name));
    switch (root->role) {
    case TENSOR_INPUT: return "x";
    case TENSOR_OUTPUT: return "y";
    case TENSOR_INPUT_GRADIENT: return "dx";
    default: return target_name(loop->plan->net);
    }
}

/* What a function is called with. What the callee sees with other dimensions needs a cast. A function that
 * takes a chunk of samples gets the first. */
static void put_argument(FILE *f, const Loop *loop, const Function *fn, int i)
{
    const Tensor *tensor = fn->param[i], *root = loop->pass->root[tensor->id];
    bool flat = fn->unroll == UNROLL_FULL || tensor->rank < 2;
    const char *type = tensor->is_int ? "int" : "float";
    if (buffer_of(loop->pass, tensor)) {
        put_buffer_argument(f, loop, fn, i);
        return;
    }
    switch (root->role) {
    case TENSOR_WEIGHT:
    case TENSOR_GRADIENT: {
        const char *cast = fn->param_written[i] ? "(float *)" : "(const float *)";
        /* ISO C makes no pointer to const rows out of one to rows. */
        bool adds_const = root->role == TENSOR_WEIGHT && !loop->const_params;
        fprintf(f, "%s%s->%s", tensor->rank < 2 ? "" : flat ? cast : adds_const ? "(void *)" : "",
                root->role == TENSOR_WEIGHT ? "p" : "g", c_name(tensor->weight->name));
        break;
    }
    case TENSOR_INPUT:
    case TENSOR_TARGET:
        if (!flat)
            fprintf(f, "(const %s (*)%s)", type,
                    dims_text(tensor->rank - 1, tensor->room + 1, "[", "][", "]"));
        fprintf(f, "%s", fn->batched ? all_samples(loop, root) : c_name(root->name));
        break;
    case TENSOR_LOSS:
        fprintf(f, loop->apart ? "loss" : "&loss");
        break;
    case TENSOR_STATE:
        fprintf(f, "%ss->%s", flat ? "" : "(void *)", c_name(root->name));
        break;
    default:
        fprintf(f, "%s%s", flat ? "" : "(void *)",
                fn->batched && root->per_sample ? all_samples(loop, root) : c_name(root->name));
    }
}

/* What stands behind a call's tensors: other arguments, and whose work a function does that several layers
 * share. */
static const char *end_of_call(const Loop *loop, const Function *fn)
{
    const Function *code = fn->twin ? fn->twin : fn;
    const char *separator = fn->nparams ? ", " : "", *text = "";
    const struct { bool given; const char *name;
    } others[] = {
        {fn->uses_step, "step"},
        {fn->uses_random, "rng"},
        {fn->uses_mean, "mean"},
        {fn->uses_samples, "samples"},
        {fn->batched || fn->uses_at_hand, loop->chunks || fn->uses_at_hand ? "m" : "n"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].given) {
            text = format("%s%s%s", text, separator, others[i].name);
            separator = ", ";
        }
    bool shared = code->shared || code->layer != fn->layer;
    return shared ? format("%s);   /* %s */\n", text, comment_text(fn->layer->name)) : format("%s);\n", text);
}

void put_layer_call(FILE *f, const Loop *loop, const Function *fn, int depth)
{
    enum { MOST = 114, MOST_WITH_COMMENT = 130 };
    const char *end = end_of_call(loop, fn);
    if (fn->purpose == FOR_WEIGHTS || fn->purpose == FOR_INPUT)
        fprintf(f, "%*sif (%s)\n", 4 * depth++, "", fn->purpose == FOR_WEIGHTS ? "g" : "dx");
    int column = fprintf(f, "%*s%s(", 4 * depth, "", fn->name);
    for (int i = 0; i < fn->nparams; i++) {
        TextStream argument;
        put_argument(open_text(&argument), loop, fn, i);
        close_text(&argument);
        int size = (int)argument.length;
        bool last = i == fn->nparams - 1 && strchr(end, '/');
        bool wrap = column + size > MOST || (last && column + size + (int)strlen(end) > MOST_WITH_COMMENT);
        column = wrap ? 4 * depth + 4 + size : column + size + 2;
        fprintf(f, "%s%s%s", i ? "," : "", wrap ? format("\n%*s", 4 * depth + 4, "") : i ? " " : "",
                argument.text);
        free(argument.text);
    }
    fprintf(f, "%s", end);
}
