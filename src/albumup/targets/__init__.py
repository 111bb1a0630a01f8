"""The kinds of server: one file each, found by name, or through the entry point group
``albumup.targets``."""
