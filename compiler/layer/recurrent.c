/* rnn, gru, lstm: cells that go along a sequence, each position with the state that the one before has left
 * (RNN with tanh, GRU, LSTM, of one layer). The first begins with zeros.
 *
 * With x the input, h the state, W and U weight_ih_l0 and weight_hh_l0, b and a their biases, s the sigmoid:
 *
 *     rnn     h = tanh(W x + b + U h + a)
 *     gru     r = s(W_r x + b_r + U_r h + a_r)   z = s(W_z x + b_z + U_z h + a_z)
 *             n = tanh(W_n x + b_n + r (U_n h + a_n))          h = n + z (h - n)
 *     lstm    i, f, o = s(W x + b + U h + a), each with its own rows    g = tanh(likewise)
 *             c = f c + i g                                    h = o tanh(c)
 *
 * The products with x are worked out for all positions at once; a step adds those with h. States have one
 * position more than the sequence, which is 0: before the first, or with reverse=true behind the last. With
 * --stream the sequence has one position, and the state before it is the last one, which net_state keeps. */
#include "layer/layer.h"

static const Param params[] = {
    {"O", PARAM_CHANNELS, true, NULL, 1, MOST_ELEMENTS, NULL, "output features, or input->output"},
    {"reverse", PARAM_FLAG, false, "false", 0, 1, NULL, "from the last position to the first"},
    {"bias", PARAM_FLAG, false, "true", 0, 1, NULL, "adds biases"},
    {0},
};

static const char *looks_ahead(const Layer *layer, const char **instead)
{
    (void)instead;
    return arg_of(layer, "reverse")->i[0] ? "reverse=true begins at the last one" : NULL;
}

static bool add_weights(Net *net, Layer *layer, int64_t gates)
{
    Shape in = layer->in->shape;
    if (!want_sequence(layer) || !check_channels(layer, in.c))
        return false;
    int64_t n = arg_of(layer, "O")->i[1], rows = product(gates, n);
    layer->out->shape = sequence_shape(in.h, n);
    const int64_t of_input[] = {rows, in.c}, of_state[] = {rows, n};
    bool good = add_weight(net, layer, "weight_ih_l0", n, 2, of_input)
             && add_weight(net, layer, "weight_hh_l0", n, 2, of_state);
    return good && (!arg_of(layer, "bias")->i[0] || (add_weight(net, layer, "bias_ih_l0", n, 1, &rows)
                                                     && add_weight(net, layer, "bias_hh_l0", n, 1, &rows)));
}

/* ---- What the cells have in common ----------------------------------------------------------- */

typedef struct Cell {
    Prog *prog;
    const Layer *layer;
    int64_t positions, n; /* n: features of the state */
    bool reverse;
    struct {             /* one position of --stream: what net_state keeps, and the state that it is */
        Tensor *last, *state;
    } kept[2];
    int nkept;
    Affine here, before, after; /* of the step at hand: its position, and those of the states around it */
} Cell;

static Cell cell_of(Prog *prog, const Layer *layer)
{
    Shape out = layer->out->shape;
    return (Cell){.prog = prog, .layer = layer, .positions = out.h, .n = out.c,
                  .reverse = arg_of(layer, "reverse")->i[0]};
}

/* The layer's weight of that number; the biases, 2 and 3, may be left out. */
static Expr *bias_at(const Cell *cell, int number, Affine row)
{
    const Layer *layer = cell->layer;
    return layer->nweights > 2 ? load(access_at(weight_tensor(cell->prog, layer->weight[number]), row))
                               : constant(0);
}

static Tensor *part_of_steps(const Cell *cell, const char *name, int64_t rows)
{
    const int64_t dim[] = {cell->positions, rows};
    return part_of(cell->prog, name, 2, dim);
}

/* A state, and the zeros with which it begins, or the last one that net_state has. */
static Tensor *new_state(Cell *cell, const char *name)
{
    const int64_t dim[] = {cell->positions + 1, cell->n};
    Tensor *state = part_of(cell->prog, name, 2, dim), *last = NULL;
    if (cell->prog->positions) {
        last = kept_state(cell->prog, format("last_%s", name), 1, &cell->n, 0);
        cell->kept[cell->nkept].last = last;
        cell->kept[cell->nkept++].state = state;
    }
    Statement *s = new_statement(cell->prog);
    Affine first = affine(cell->reverse ? cell->positions : 0), o = index_of(s, "o", cell->n);
    store(cell->prog, s, STORE_SET, access_at(state, first, o),
          last ? load(access_at(last, o)) : constant(0));
    return state;
}

/* gates[t, o] = bias[o] + weight_ih[o, c] x[t, c], at all positions. */
static Tensor *product_with_input(const Cell *cell, int64_t rows, bool both_biases)
{
    Prog *prog = cell->prog;
    Tensor *in = tensor_of(prog, cell->layer->in), *gates = part_of_steps(cell, "gates", rows);
    Statement *s = new_statement(prog);
    Affine t = index_of(s, "t", cell->positions), o = index_of(s, "o", rows);
    store(prog, s, STORE_SET, access_at(gates, t, o),
          add(bias_at(cell, 2, o), both_biases ? bias_at(cell, 3, o) : constant(0)));
    s = new_statement(prog);
    t = index_of(s, "t", cell->positions);
    o = index_of(s, "o", rows);
    Affine c = index_of(s, "c", in->dim[1]);
    store(prog, s, STORE_ADD, access_at(gates, t, o),
          mul(load(access_at(weight_tensor(prog, cell->layer->weight[0]), o, c)), load(access_at(in, t, c))));
    return gates;
}

static void begin_cell(Cell *cell)
{
    Affine step = begin_steps(cell->prog, cell->positions);
    Affine next = affine_add(step, affine(1));
    cell->here = cell->reverse ? affine_add(affine(cell->positions - 1), affine_scale(step, -1)) : step;
    cell->before = cell->reverse ? affine_add(cell->here, affine(1)) : step;
    cell->after = cell->reverse ? cell->here : next;
}

/* gates[o] += weight_hh[o, c] state[c] */
static void add_product_with_state(const Cell *cell, Tensor *gates, Tensor *state)
{
    Prog *prog = cell->prog;
    Statement *s = new_statement(prog);
    Affine o = index_of(s, "o", gates->dim[1]), c = index_of(s, "c", cell->n);
    store(prog, s, STORE_ADD, access_at(gates, cell->here, o),
          mul(load(access_at(weight_tensor(prog, cell->layer->weight[1]), o, c)),
              load(access_at(state, cell->before, c))));
}

static Statement *each_feature(const Cell *cell, Affine *o)
{
    Statement *s = new_statement(cell->prog);
    *o = index_of(s, "o", cell->n);
    return s;
}

/* Row o of the gate of that number. */
static Expr *gate_at(const Cell *cell, Tensor *gates, int number, Affine o)
{
    return load(access_at(gates, cell->here, affine_add(o, affine(number * cell->n))));
}

static Expr *part_at(const Cell *cell, Tensor *part, Affine o)
{
    return load(access_at(part, cell->here, o));
}

static void set_part(const Cell *cell, Statement *s, Tensor *part, Affine o, Expr *value)
{
    store(cell->prog, s, STORE_SET, access_at(part, cell->here, o), value);
}

static void end_cell(Cell *cell, Tensor *state)
{
    Prog *prog = cell->prog;
    end_steps(prog);
    if (cell->nkept)
        begin_position(prog);
    for (int i = 0; i < cell->nkept; i++) {
        Affine o;
        Statement *s = each_feature(cell, &o);
        store(prog, s, STORE_SET, access_at(cell->kept[i].last, o),
              load(access_at(cell->kept[i].state, cell->after, o)));
    }
    end_steps(prog);
    Statement *s = new_statement(prog);
    Access each = element(s, tensor_of(prog, cell->layer->out)), from = same_place(each, state);
    from.at[0] = affine_add(from.at[0], affine(!cell->reverse));
    store(prog, s, STORE_SET, each, load(from));
}

/* ---- rnn ------------------------------------------------------------------------------------- */

static bool rnn_shape(Net *net, Layer *layer)
{
    return add_weights(net, layer, 1);
}

static void lower_rnn(Prog *prog, const Layer *layer)
{
    Cell cell = cell_of(prog, layer);
    Affine o;
    Tensor *gates = product_with_input(&cell, cell.n, true), *h = new_state(&cell, "state");
    begin_cell(&cell);
    add_product_with_state(&cell, gates, h);
    Statement *s = each_feature(&cell, &o);
    store(prog, s, STORE_SET, access_at(h, cell.after, o), unary(OP_TANH, gate_at(&cell, gates, 0, o)));
    end_cell(&cell, h);
}

const Kind kind_rnn = {
    .name = "rnn",
    .features = true,
    .role = ROLE_LAYER,
    .syntax = "rnn [I->]O [reverse=false] [bias=true]",
    .help = "recurrent layer with tanh along a sequence, TxO (RNN)",
    .params = params,
    .shape = rnn_shape,
    .lower = lower_rnn,
    .next = lower_rnn,
    .looks_ahead = looks_ahead,
    .torch = "reverse=true ? nn.RNN({in}, {O}, bias={bias}, batch_first=True) => @(x.flip(1))[0].flip(1)|"
             "nn.RNN({in}, {O}, bias={bias}, batch_first=True) => @(x)[0]",
    .examples = "input 5x3; rnn 4|input 4x2; tanh; rnn 3 reverse=true|input 6x1; rnn 1 bias=false|"
                "input 1x3; rnn 2|input 3x2; rnn 2->3; rnn 2|"
                "input 3x2; a: rnn 2; rnn 2 reverse=true weights=a",
};

/* ---- gru ------------------------------------------------------------------------------------- */

static bool gru_shape(Net *net, Layer *layer)
{
    return add_weights(net, layer, 3);
}

static void lower_gru(Prog *prog, const Layer *layer)
{
    enum { RESET, UPDATE, NEW_STATE, GATES };
    Cell cell = cell_of(prog, layer);
    Affine o;
    Tensor *gates = product_with_input(&cell, GATES * cell.n, false), *h = new_state(&cell, "state");
    Tensor *hidden = part_of_steps(&cell, "hidden", GATES * cell.n);
    Tensor *r = part_of_steps(&cell, "reset", cell.n), *z = part_of_steps(&cell, "update", cell.n);
    Tensor *n = part_of_steps(&cell, "new", cell.n);
    begin_cell(&cell);
    Statement *s = new_statement(prog);
    o = index_of(s, "o", hidden->dim[1]);
    set_part(&cell, s, hidden, o, bias_at(&cell, 3, o));
    add_product_with_state(&cell, hidden, h);
    for (int gate = RESET; gate <= UPDATE; gate++) {
        s = each_feature(&cell, &o);
        set_part(&cell, s, gate == RESET ? r : z, o,
                 unary(OP_SIGMOID, add(gate_at(&cell, gates, gate, o), gate_at(&cell, hidden, gate, o))));
    }
    s = each_feature(&cell, &o);
    set_part(&cell, s, n, o,
             unary(OP_TANH, add(gate_at(&cell, gates, NEW_STATE, o),
                                mul(part_at(&cell, r, o), gate_at(&cell, hidden, NEW_STATE, o)))));
    s = each_feature(&cell, &o);
    store(prog, s, STORE_SET, access_at(h, cell.after, o),
          add(part_at(&cell, n, o),
              mul(part_at(&cell, z, o), sub(load(access_at(h, cell.before, o)), part_at(&cell, n, o)))));
    end_cell(&cell, h);
}

const Kind kind_gru = {
    .name = "gru",
    .features = true,
    .role = ROLE_LAYER,
    .syntax = "gru [I->]O [reverse=false] [bias=true]",
    .help = "gated recurrent layer along a sequence, TxO (GRU)",
    .params = params,
    .shape = gru_shape,
    .lower = lower_gru,
    .next = lower_gru,
    .looks_ahead = looks_ahead,
    .torch = "reverse=true ? nn.GRU({in}, {O}, bias={bias}, batch_first=True) => @(x.flip(1))[0].flip(1)|"
             "nn.GRU({in}, {O}, bias={bias}, batch_first=True) => @(x)[0]",
    .examples = "input 5x3; gru 4|input 4x2; tanh; gru 3 reverse=true|input 6x1; gru 1 bias=false|"
                "input 1x3; gru 2|input 3x2; gru 2->3; gru 2|"
                "input 3x2; a: gru 2; gru 2 weights=a",
};

/* ---- lstm ------------------------------------------------------------------------------------ */

static bool lstm_shape(Net *net, Layer *layer)
{
    return add_weights(net, layer, 4);
}

static void lower_lstm(Prog *prog, const Layer *layer)
{
    enum { IN, FORGET, CANDIDATE, OUT, GATES };
    static const char *const names[] = {"in", "forget", "candidate", "out_gate"};
    Cell cell = cell_of(prog, layer);
    Affine o;
    Tensor *gates = product_with_input(&cell, GATES * cell.n, true), *gate[GATES];
    Tensor *h = new_state(&cell, "state"), *c = new_state(&cell, "cell");
    Tensor *tanh_c = part_of_steps(&cell, "tanh", cell.n);
    for (int i = 0; i < GATES; i++)
        gate[i] = part_of_steps(&cell, names[i], cell.n);
    begin_cell(&cell);
    add_product_with_state(&cell, gates, h);
    for (int i = 0; i < GATES; i++) {
        Statement *s = each_feature(&cell, &o);
        set_part(&cell, s, gate[i], o,
                 unary(i == CANDIDATE ? OP_TANH : OP_SIGMOID, gate_at(&cell, gates, i, o)));
    }
    Statement *s = each_feature(&cell, &o);
    store(prog, s, STORE_SET, access_at(c, cell.after, o),
          add(mul(part_at(&cell, gate[FORGET], o), load(access_at(c, cell.before, o))),
              mul(part_at(&cell, gate[IN], o), part_at(&cell, gate[CANDIDATE], o))));
    s = each_feature(&cell, &o);
    set_part(&cell, s, tanh_c, o, unary(OP_TANH, load(access_at(c, cell.after, o))));
    s = each_feature(&cell, &o);
    store(prog, s, STORE_SET, access_at(h, cell.after, o),
          mul(part_at(&cell, gate[OUT], o), part_at(&cell, tanh_c, o)));
    end_cell(&cell, h);
}

const Kind kind_lstm = {
    .name = "lstm",
    .features = true,
    .role = ROLE_LAYER,
    .syntax = "lstm [I->]O [reverse=false] [bias=true]",
    .help = "long short-term memory along a sequence, TxO (LSTM)",
    .params = params,
    .shape = lstm_shape,
    .lower = lower_lstm,
    .next = lower_lstm,
    .looks_ahead = looks_ahead,
    .torch = "reverse=true ? nn.LSTM({in}, {O}, bias={bias}, batch_first=True) => @(x.flip(1))[0].flip(1)|"
             "nn.LSTM({in}, {O}, bias={bias}, batch_first=True) => @(x)[0]",
    .examples = "input 5x3; lstm 4|input 4x2; tanh; lstm 3 reverse=true|input 6x1; lstm 1 bias=false|"
                "input 1x3; lstm 2|input 3x2; lstm 2->3; lstm 2|"
                "input 4x3; a:; lstm 2; f:; from a; lstm 2 reverse=true; concat f|"
                "input 3x2; a: lstm 2; lstm 2 reverse=true weights=a",
};
