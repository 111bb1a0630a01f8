"""Photos on the disk: finding and reading them, their types and metadata, and their disks."""
