"""Photos on the disk: finding them, their types and metadata, reading them, and the disks they lie
on."""
