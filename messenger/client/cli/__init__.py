"""`messenger`: the command line. `parser` says what there is, `main` runs it, `output` shows what comes."""
