# Completion of nnc(1) in bash: options with the words they take, warnings, kinds of layers, examples, networks.
# tests/test_editors.c holds it; the part between `begin` and `end` follows from `nnc --help` (make golden rewrites it).

# Offers those of the lines on standard input that begin with the text $1.
_nnc_offer()
{
    local line
    while IFS= read -r line; do
        [[ $line == "$1"* ]] && COMPREPLY+=("$line")
    done
}

# Offers files as compgen finds them, by its arguments, and folders on the way there.
_nnc_files()
{
    compopt -o filenames 2>/dev/null # not there outside of a completion
    mapfile -t COMPREPLY < <(compgen "$@" | sort -u)
}

# Offers values of the option whose value nnc --help calls $1: of option $2, for the text $3, with the command $4.
_nnc_values()
{
    local nnc=${4/#\~/$HOME}
    case $2$1 in
        --layers*) _nnc_offer "$3" < <("$nnc" --layers 2>/dev/null | sed -n 's/^\([a-z][a-z0-9]*\).*/\1/p' | sort -u) ;;
        --example*) _nnc_offer "$3" < <("$nnc" --example 2>/dev/null) ;;
        *FILE*) _nnc_files -f -- "$3" ;;
        *FOLDER) _nnc_files -d -- "$3" ;;
        *'|'* | *=[a-z]*) _nnc_offer "$3" < <(tr '|' '\n' <<<"${1#=}") ;;
    esac
}

_nnc()
{
    local forms warnings
    # begin options
    forms=(
        '-o FILE.c'
        '--header=FILE.h'
        '--static'
        '--weights=FILE'
        '--prefix=NAME'
        '--input=CxHxW'
        '--batch=N'
        '--loss=none'
        '-I FOLDER'
        '-D NAME=VALUE'
        '--unroll=auto|full|tile|none'
        '--target=generic|scalar|avx2|avx512|neon'
        '--math=auto|direct|winograd|F4x4,3x3|F2x2,3x3'
        '--lanes=auto|channels|samples'
        '--tile=RxV'
        '--blocks=N'
        '--inference'
        '--stream'
        '--main[=mpi]'
        '--check'
        '--summary[=json]'
        '--fits=RAM,FLASH'
        '--verify[=MODE,...]'
        '--dump=ast|net|prog|grad|plan|all|layout|samples|gather|sums|transpose|winograd|halo|phases|moves|functions|full|fuse|windows|follow|together|blocks|tiles|names|place'
        '-MD'
        '-MF FILE'
        '-MT TARGET'
        '-MP'
        '--color=auto|always|never'
        '--diagnostics-format=text|json|sarif'
        '-fmax-errors=N'
        '--graph=dot|svg'
        '--pytorch'
        '--layers[=KIND]'
        '--example[=NAME]'
        '--explain=CODE'
        '--help'
        '--version'
    )
    warnings='unroll padding loss unused batch lanes channels momentum shortcut label softmax-twice linear dropout-last relu-logits rows define'
    # end options
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} option= apart= form name value
    COMPREPLY=()
    # Bash takes `=` for a word of its own, unless COMP_WORDBREAKS has lost it.
    if [[ $word == -*=* ]]; then
        option=${word%%=*}
    elif [[ $word == = ]]; then
        option=$before word=
    elif [[ $before == = ]] && ((COMP_CWORD > 2)); then
        option=${COMP_WORDS[COMP_CWORD-2]}
    elif [[ $before == -* && $word != -* ]]; then
        option=$before apart=yes
    fi

    if [[ $option == -Werror ]]; then
        _nnc_offer "${word#*=}" < <(printf '%s\n' $warnings)
    fi
    for form in "${forms[@]}"; do
        name=${form%%[ =[]*}
        [[ $name == "$option" && $form != "$name" ]] || continue
        # An optional word of a few, such as --summary=json, does not stand apart.
        [[ $apart && $form == *'[='[a-z]* ]] && continue
        value=${form#"$name"} value=${value#[} value=${value%]}
        _nnc_values "=${value#[ =]}" "$name" "${word#-*=}" "$1"
        [[ $word == -*=* && $COMPREPLY ]] && COMPREPLY=("${COMPREPLY[@]/#/$option=}")
        return
    done
    [[ $option && ! $apart ]] && return

    if [[ $word == -W* ]]; then
        _nnc_offer "$word" < <(printf -- '-W%s\n' all no-all extra error error= $warnings; printf -- '-Wno-%s\n' $warnings)
    elif [[ $word == -* ]]; then
        for form in "${forms[@]}"; do
            name=${form%%[ =[]*}
            [[ $form == "$name="* ]] && name+==
            [[ $form == *'[='[a-z]* ]] && value=${form/[/} && _nnc_offer "$word" <<<"${value%]}"
            _nnc_offer "$word" <<<"$name"
        done
    else
        _nnc_files -f -X '!*.nn' -- "$word"
        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$word")
    fi
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == -*= ]] && compopt -o nospace 2>/dev/null
}

complete -F _nnc nnc
