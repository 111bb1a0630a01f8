"""The journal: one SQLite file, the whole memory of the program."""
