"""The configuration: the file, the settings of targets, the syntax of values, and the sources of
tokens."""
