#!/bin/sh
# structure.sh BUILD: does compiler/ keep to its structure? Prints each place that doesn't; exit status 1 where there is one.
#
#     1. Folders stand one above the other: base, front, program, layer, schedule, back, then main.c and options.c. A file
#        calls functions of its own folder and of those below it.
#     2. No files call each other in a ring.
#     3. What a folder's header declares is defined in that folder.
#     4. No kind of layer is named outside layer/.
#     5. No file has over 700 lines, no line over 110 columns, no function over 80 lines: in compiler/ and runtime/.
#        compiler/back/fixed holds C of net.c and net.h, which have lines of up to 130 columns.
#
# Calls are read from the object files in BUILD, with nm: what one defines and another lacks. Data may be read from above: the
# table of kinds is what resolve walks, and the only thing that front knows of layer/.
set -u
build=$1
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
status=0
say() { echo "$*"; status=1; }

objects=$(cd "$build/compiler" && find . -name '*.o' | sed 's|^\./||; s|\.o$||' | sort)
[ -n "$objects" ] || { echo "structure.sh: $build/compiler holds no objects"; exit 2; }
for o in $objects; do
    [ -f "compiler/$o.c" ] || continue # of a file that is gone
    nm "$build/compiler/$o.o" | awk -v file="$o" -v work="$work" '
        NF == 2 && $1 == "U" { print $2, file >> (work "/needs") }
        NF == 3 && $2 == "T" { print $3, file >> (work "/functions") }'
done
sort -o "$work/needs" "$work/needs"
sort -o "$work/functions" "$work/functions"
join "$work/needs" "$work/functions" | awk '$2 != $3' > "$work/calls" # function, caller, where it is defined

# 1. and 2.
awk 'BEGIN { n = split("base front program layer schedule back", names, " "); for (i = 1; i <= n; i++) rank[names[i]] = i }
     function height(file) { if (split(file, part, "/") == 1) return n + 1; return rank[part[1]] }
     !height($2) { print "compiler/" $2 ".c lies in no known folder" }
     height($3) > height($2) { print "compiler/" $2 ".c calls " $1 " of compiler/" $3 ".c, which stands above it" }' \
    "$work/calls" > "$work/bad"
awk '{ print $2, $3 }' "$work/calls" | sort -u | tsort 2>&1 >/dev/null | sed 's|^tsort: -: input contains a loop:|these files call each other in a ring:|; s|^tsort: |    |' >> "$work/bad"

# 3.
for header in compiler/*/*.h; do
    folder=$(basename "$(dirname "$header")")
    tr '\n' ' ' < "$header" | sed 's|/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/||g' | grep -oE '[A-Za-z_][A-Za-z_0-9]*\(' | tr -d '(' | sort -u > "$work/declared"
    join "$work/declared" "$work/functions" | awk -v folder="$folder" -v header="$header" \
        '{ split($2, part, "/"); if (part[1] != folder) print header " declares " $1 ", which compiler/" $2 ".c defines" }'
done > "$work/bad3"

# 4. Kinds are named in quotes, or as kind_NAME. Some are words of other things, too.
kinds=$(sed -n 's/^ *\.name = "\([a-z0-9]*\)",.*/\1/p' compiler/layer/*.c | grep -vE '^(nnc|input|batch|loss|from|repeat|block|include|param|freeze|add|mul|tanh|sigmoid|none|output|first|last|image|sequence|transpose)$' | tr '\n' '|' | sed 's/|$//')
grep -nE "\"($kinds)\"|kind_($kinds)\b" compiler/*.c compiler/base/*.c compiler/front/*.c compiler/program/*.c \
    compiler/schedule/*.c compiler/back/*.c | grep -v 'compiler/front/words\.c:' | sed 's|:.*| names a kind of layer|' > "$work/bad4"

# 5.
awk 'FNR == 1 { opened = 0 }
     length($0) > (FILENAME ~ /back\/fixed\// ? 130 : 110) { print FILENAME ":" FNR ": " length($0) " columns" }
     FNR == 701 { print FILENAME ": over 700 lines" }
     /^\{/ { opened = FNR }
     /^\}/ { if (opened && FNR - opened > 80) print FILENAME ":" opened ": a function of " FNR - opened " lines"; opened = 0 }' \
    compiler/*.[ch] compiler/*/*.[ch] compiler/back/fixed/*.[ch] runtime/*.[ch] runtime/kit/*.[ch] > "$work/bad5"

cat "$work/bad" "$work/bad3" "$work/bad4" "$work/bad5" > "$work/all"
[ -s "$work/all" ] && { cat "$work/all"; status=1; }
exit $status
