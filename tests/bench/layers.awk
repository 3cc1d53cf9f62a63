# Prints a net.c in which net_forward and net_backward call each layer's function through TIMED.
$4 !~ /^net_/ && /^static (NOINLINE|inline) void [A-Za-z0-9_]+_(forward|training|backward|transpose|sums|once|clear|add_up)[a-z_0-9]*\(/ {
    name = $4
    sub(/\(.*/, "", name)
    names[++n] = name
}
/^void net_forward\(/ {
    for (i = 1; i <= n; i++)
        printf "#define %s(...) TIMED(\"%s\", %s(__VA_ARGS__))\n", names[i], names[i], names[i]
}
{ print }
