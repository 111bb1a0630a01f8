"""The configuration: the file, the settings of targets, what values are written in, and where tokens come from."""
