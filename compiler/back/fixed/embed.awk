# embed.awk: the sections of the C files here, as rows of a C array for ../fixed.c: {"FILE: SECTION", text}.
#
# A section begins behind a line "// section NAME" and ends before the next such line, or before "// end". The whole of
# runtime/nn.h is one, which has no such lines: "nn.h: all".

FILENAME ~ /nn\.h$/ && FNR == 1 {
    print "    {\"nn.h: all\","
    inside = 1
}
/^\/\/ section / {
    if (inside)
        print "    },"
    file = FILENAME
    sub(/.*\//, "", file)
    print "    {\"" file ": " substr($0, 12) "\","
    inside = 1
    next
}
/^\/\/ end$/ {
    if (inside)
        print "    },"
    inside = 0
    next
}
inside {
    gsub(/["\\]/, "\\\\&")
    print "        \"" $0 "\\n\""
}
END {
    if (inside)
        print "    },"
}
