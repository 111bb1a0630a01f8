"""What lies on the disk: folders, files, what they hold and say of themselves, and the disks they lie on."""
