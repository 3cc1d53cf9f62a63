/* prog.c: what a network computes, as loop statements.
 *
 * A Prog is a list of statements `out[affine] (= | += | max=) expression(in[affine], ...)`, each over a
 * rectangular box of indices. Kinds build them here through a few functions (new_statement, index_of,
 * store), and nothing later needs to know which kind a statement came from: differentiation, scheduling,
 * the interpreter and the printing of C work on statements alone.
 *
 * Two rules keep them simple. A point of the box where some access falls outside its tensor is left out,
 * which says zero padding, -inf padding and leftover rows in one way, forward and backward. And the sample
 * is no index: a per-sample tensor is only ever accessed at the sample at hand. What the samples add up in
 * a tensor that all share is there once all of them have: only a statement that runs once for the call may
 * read it (phases.c).
 *
 * An index of extent 1 is never made (index_of gives the constant 0), so later stages see no empty loops.
 * / */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "program/program.h"

/* ---- lower: Net to Prog ---------------------------------------------------------------------- */

/* What the layers compute; without the loss. positions: of the sequence of which net is one; 0: it isn't. */
static Prog *lower_layers(const Net *net, bool training, bool answers, int64_t positions)
{
    Prog *prog = NEW(Prog);
    prog->net = net;
    prog->positions = positions;
    prog->training = training;
    prog->answers = answers;
    prog->value = NEW_ARRAY(Tensor *, 2 * net->nvalues); /* commute.c makes further ones */
    prog->weight = NEW_ARRAY(Tensor *, net->nweights + 1);
    prog->x = tensor_of(prog, net->in);
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        const Layer *follower = followed_by(net, layer);
        prog->layer = layer;
        if (follower)
            lower_commuted(prog, layer, follower);
        else if (!follows_maximum(net, layer))
            (prog->positions && layer->kind->next ? layer->kind->next : layer->kind->lower)(prog, layer);
    }
    if (answers)
        prog->y = tensor_of(prog, net->out);
    return prog;
}

static void lower_loss(Prog *prog)
{
    const Net *net = prog->net;
    int64_t dim[MAX_RANK] = {net->targets};
    int rank = 1;
    if (!net->int_targets)
        rank = shape_dims(net->out->shape, dim);
    else if (net->out->shape.rank == 3) {
        rank = 2;
        dim[0] = net->out->shape.h;
        dim[1] = net->out->shape.w;
    }
    prog->t = new_tensor(prog, TENSOR_TARGET, net->from_caller ? "d_output" : "target", true, rank, dim);
    prog->t->is_int = net->int_targets;
    prog->t->channel = !net->int_targets && net->out->shape.rank == 2;
    if (!net->from_caller)
        prog->loss = new_tensor(prog, TENSOR_LOSS, "loss", false, 0, NULL);
    prog->layer = net->loss;
    net->loss->kind->lower(prog, net->loss);
}

Prog *lower_next(const Net *net)
{
    Prog *prog = lower_layers(net_of_one_position(net), false, true, positions_in(net));
    remove_unused(prog);
    return prog;
}

Prog *lower(const Net *net, bool training)
{
    Prog *prog = lower_layers(net, training, !training, 0);
    if (!training) {
        remove_unused(prog);
        return prog;
    }
    lower_loss(prog);
    if (net->from_caller) { /* nothing asks for its statements before it is differentiated */
        prog->forward_train = lower_layers(net, true, true, 0);
        remove_unused(prog->forward_train);
        return prog;
    }
    remove_unused(prog);
    prog->evaluation = lower_layers(net, false, true, 0);
    lower_loss(prog->evaluation);
    remove_unused(prog->evaluation);
    return prog;
}

bool from_the_caller(const Prog *prog)
{
    return prog->net->from_caller && prog->training && !prog->answers;
}

/* ---- The dump -------------------------------------------------------------------------------- */

static void dump_affine(FILE *f, const Affine *a, const Statement *s)
{
    bool first = true;
    for (int n = -2; n < s->nindex; n++) {
        int64_t k = a->coefficient[n == -2 ? STEP : n < 0 ? BLOCK : n];
        if (!k)
            continue;
        fputs(first ? k < 0 ? "-" : "" : k < 0 ? " - " : " + ", f);
        if (k != 1 && k != -1)
            fprintf(f, "%lld", (long long)(k < 0 ? -k : k));
        fputs(n == -2 ? "step" : n < 0 ? "block" : s->index_name[n], f);
        first = false;
    }
    if (first)
        fprintf(f, "%lld", (long long)a->constant);
    else if (a->constant)
        fprintf(f, " %c %lld", a->constant < 0 ? '-' : '+',
                (long long)(a->constant < 0 ? -a->constant : a->constant));
}

static void dump_access(FILE *f, const Access *access, const Statement *s)
{
    fprintf(f, "%s", access->tensor->name);
    for (int i = 0; i < access->tensor->rank; i++) {
        fputs(i ? ", " : "[", f);
        dump_affine(f, &access->at[i], s);
    }
    if (access->tensor->rank)
        fputc(']', f);
}

static void dump_expr(FILE *f, const Expr *e, const Statement *s)
{
    switch (e->op) {
    case OP_CONSTANT:
        fprintf(f, "%.9g", e->value);
        return;
    case OP_LOAD:
        dump_access(f, &e->access, s);
        return;
    case OP_INDEX:
    case OP_RANDOM:
        fputs(e->op == OP_RANDOM ? "random(" : "(", f);
        dump_affine(f, &e->index, s);
        fputc(')', f);
        return;
    default: {
        int operand = 0;
        for (const char *c = op_info[e->op].text; *c; c++) {
            if (*c != '%') {
                fputc(*c, f);
                continue;
            }
            const Expr *arg = e->arg[operand++];
            bool divisor = e->op == OP_DIV && operand == 2 && (arg->op == OP_MUL || arg->op == OP_DIV);
            fputs(divisor ? "(" : "", f);
            dump_expr(f, arg, s);
            fputs(divisor ? ")" : "", f);
        }
    }
    }
}

/* Where the statement doesn't say it itself. */
static void dump_triangle(FILE *f, const Statement *s)
{
    Triangle triangle;
    if (s->rhs->op == OP_IF_LE || !triangle_of(s, &triangle))
        return;
    Affine low = affine(0), high = affine(0);
    for (int i = 0; i < MAX_TERMS; i++) {
        const int64_t k = triangle.gap.coefficient[i];
        *(k > 0 ? &low.coefficient[i] : &high.coefficient[i]) = k > 0 ? k : -k;
    }
    *(triangle.gap.constant > 0 ? &low.constant : &high.constant) = llabs(triangle.gap.constant);
    fputs(", ", f);
    dump_affine(f, &low, s);
    fputs(" <= ", f);
    dump_affine(f, &high, s);
}

void dump_statement(FILE *f, const Statement *s)
{
    dump_access(f, &s->out, s);
    fputs(s->store == STORE_SET ? " = " : s->store == STORE_ADD ? " += " : " max= ", f);
    dump_expr(f, s->rhs, s);
    if (s->position)
        fprintf(f, ", first at %s", s->position->name);
    for (int i = 0; i < s->nindex; i++)
        fprintf(f, "%s %s<%lld", i ? "" : "   for", s->index_name[i], (long long)s->extent[i]);
    dump_triangle(f, s);
    fputc('\n', f);
}

void dump_prog(FILE *f, const Prog *prog)
{
    static const char *const roles[] = {
        [TENSOR_INPUT] = "input", [TENSOR_OUTPUT] = "output", [TENSOR_TARGET] = "target",
        [TENSOR_WEIGHT] = "weight", [TENSOR_GRADIENT] = "gradient", [TENSOR_LOSS] = "loss",
        [TENSOR_CONSTANT] = "constant", [TENSOR_STATE] = "state", [TENSOR_VALUE] = "value",
        [TENSOR_INPUT_GRADIENT] = "gradient",
    };
    fprintf(f, "prog %s\n", prog->positions ? "next" : !prog->training ? prog->loss ? "loss" : "inference"
                            : prog->answers ? "forward_train" : "training");
    for (const Tensor *t = prog->tensors; t; t = t->next) {
        fprintf(f, "  %-8s %s", roles[t->role], t->name);
        for (int i = 0; i < t->rank; i++)
            fprintf(f, "%c%lld", i ? 'x' : ' ', (long long)t->dim[i]);
        fprintf(f, "%s%s\n", t->is_int ? " int" : "", t->per_sample ? " per sample" : "");
    }
    const Layer *layer = NULL;
    bool backward = false;
    for (const Statement *s = prog->statements, *before = NULL; s; before = s, s = s->next) {
        if (s->layer != layer || s->backward != backward)
            fprintf(f, "%s%s: %s\n", s->layer->name, s->backward ? " backward" : "", s->layer->text);
        layer = s->layer;
        backward = s->backward;
        if (s->recurrence && (!before || before->recurrence != s->recurrence))
            fputs(s->recurrence->outside ? "    at each position:\n"
                                         : format("    step by step, %lld times:\n",
                                                  (long long)s->recurrence->steps), f);
        fputs(s->recurrence ? "        " : "    ", f);
        dump_statement(f, s);
    }
}

/* ---- The verifier ---------------------------------------------------------------------------- */

typedef struct Verification {
    const Prog *prog;
    const Statement *s;
    bool *defined;
    bool *summed;        /* over the samples */
} Verification;

static void verify_access(const Access *access, const Verification *v)
{
    const Tensor *tensor = access->tensor;
    for (int i = 0; i < tensor->rank; i++) {
        int64_t least, most;
        affine_range(&access->at[i], v->s, &least, &most);
        if (!access->padded && (least < 0 || most >= tensor->dim[i]))
            bug("%s: %s is accessed outside its dimension %d", v->s->layer->name, tensor->name, i);
        for (int k = v->s->nindex; k < MAX_INDEX; k++)
            if (access->at[i].coefficient[k])
                bug("%s: %s is accessed by an index that the statement lacks", v->s->layer->name,
                    tensor->name);
    }
}

static void verify_load(const Access *access, void *context)
{
    const Verification *v = context;
    verify_access(access, v);
    if (access->tensor->role == TENSOR_VALUE && !v->defined[access->tensor->id])
        bug("%s: %s is read before it is written", v->s->layer->name, access->tensor->name);
    bool in_place =
        access->tensor->role == TENSOR_WEIGHT && v->s->store == STORE_SET && access_equal(access, &v->s->out);
    if (access->tensor == v->s->out.tensor && !in_place && !never_meet(access, &v->s->out))
        bug("%s: %s is read by the statement that writes it", v->s->layer->name, access->tensor->name);
    bool sums = access->tensor->role == TENSOR_GRADIENT || access->tensor->role == TENSOR_LOSS
             || v->summed[access->tensor->id];
    if (access->tensor->role == TENSOR_GRADIENT)
        bug("%s: %s is read, in which there may be more than this call's gradient", v->s->layer->name,
            access->tensor->name);
    if (sums && v->s->per_sample)
        bug("%s: %s sums over samples and is read inside their loop", v->s->layer->name,
            access->tensor->name);
}

void verify_prog(const Prog *prog)
{
    Verification v = {prog, NULL, NEW_ARRAY(bool, prog->ntensors), NEW_ARRAY(bool, prog->ntensors)};
    verify_recurrences(prog->statements);
    for (const Statement *s = prog->statements; s; s = s->next) {
        v.s = s;
        Tensor *out = s->out.tensor;
        verify_access(&s->out, &v);
        visit_loads(s->rhs, verify_load, &v);
        for (int i = 0; i < s->nindex; i++)
            if (s->extent[i] < 2 || (i >= output_indices(s) && depends_on(&s->out, i)))
                bug("%s: index %s is out of order", s->layer->name, s->index_name[i]);
        /* Training keeps statistics; inference works in the place of its weights before the first sample. */
        bool kept =
            out->role == TENSOR_WEIGHT && !s->per_sample && (out->weight->statistic || !prog->training);
        if (out->role == TENSOR_INPUT || out->role == TENSOR_TARGET || (out->role == TENSOR_WEIGHT && !kept)
            || out->role == TENSOR_CONSTANT)
            bug("%s: %s is written", s->layer->name, out->name);
        if (out->per_sample && !s->per_sample)
            bug("%s: %s is written for no sample", s->layer->name, out->name);
        if (s->per_sample && !out->per_sample && s->store != STORE_ADD)
            bug("%s: %s, which the samples share, is set for each of them", s->layer->name, out->name);
        v.summed[out->id] |= s->per_sample && !out->per_sample;
        bool starts = s->store != STORE_ADD || out->role == TENSOR_GRADIENT || out->role == TENSOR_LOSS;
        if (!starts && !v.defined[out->id])
            bug("%s: %s is added to before it is set", s->layer->name, out->name);
        if (s->position && s->store != STORE_MAX)
            bug("%s: only a maximum has a position", s->layer->name);
        v.defined[out->id] = true;
        if (s->position)
            v.defined[s->position->id] = true;
    }
}
