autocmd BufRead,BufNewFile *.nn setfiletype nnc
