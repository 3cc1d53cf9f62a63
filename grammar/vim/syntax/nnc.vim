" Highlighting of networks, nnc(5), in Vim. tests/test_editors.c holds it; the part between `begin` and `end` follows
" from the table of kinds (make golden rewrites it).
if exists('b:current_syntax')
  finish
endif

" begin kinds
syntax keyword nncKind contained nnc input batch conv convtranspose fc maxpool avgpool adaptiveavgpool globalavgpool
syntax keyword nncKind contained globalmaxpool upsample zeropad pixelshuffle channelshuffle relu relu6 leakyrelu prelu
syntax keyword nncKind contained elu selu gelu silu mish softplus softsign hardtanh sigmoid hardsigmoid hardswish tanh
syntax keyword nncKind contained softmax batchnorm layernorm groupnorm instancenorm conv1d maxpool1d avgpool1d last
syntax keyword nncKind contained first sequence image transpose embedding classtoken positions attention rnn gru lstm
syntax keyword nncKind contained flatten reshape slice dropout normalize from add concat mul repeat block include
syntax keyword nncKind contained param freeze output loss
syntax keyword nncLossName contained crossentropy bce mse l1 huber hinge focal dice kl none
" end kinds

" A kind is one where a statement begins; elsewhere the same word may be an argument or a label.
syntax match nncStart '\%(\%(^\|[;{:]\)\s*\)\@<=\h\w*' contains=nncKind
syntax match nncLoss '\%(\<loss\s\+\)\@<=\h\w*' contains=nncLossName
syntax match nncCall '\h\w*\ze\s*('
syntax match nncArgument '\h\w*\ze\s*='
syntax match nncValue '\%(=\s*\)\@<=\h\w*'
syntax match nncBoolean '\%(=\s*\)\@<=\%(true\|false\)\>'
syntax match nncNumber '\%(\w\|\$\)\@<![+-]\?\.\?\d\%([eE][+-]\d\|[0-9A-Za-z_.]\)*'
syntax match nncShort '\%(\w\|\$\)\@<!\a-\?[0-9.][0-9A-Za-z_.]*\%(\s*[:(=]\)\@!'
syntax match nncParameter '\$\h\w*'
syntax match nncArrow '->'
syntax match nncString '"[^"]*"'
syntax match nncLabel '\%(\%(^\|[;{]\)\s*\)\@<=\h\w*\ze\s*:'
syntax match nncLabel '"[^"]*"\ze\s*:'
syntax match nncComment '#.*' contains=@Spell

highlight default link nncKind Statement
highlight default link nncLossName Type
highlight default link nncCall Function
highlight default link nncArgument Identifier
highlight default link nncValue Constant
highlight default link nncBoolean Boolean
highlight default link nncNumber Number
highlight default link nncShort Special
highlight default link nncParameter PreProc
highlight default link nncArrow Operator
highlight default link nncString String
highlight default link nncLabel Label
highlight default link nncComment Comment

let b:current_syntax = 'nnc'
