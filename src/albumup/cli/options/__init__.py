"""The commands: their names, parameters and help. A command's work is imported late."""
