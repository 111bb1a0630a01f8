"""The commands: what each is called, takes and says of itself. Its work is imported late."""
