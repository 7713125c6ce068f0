"""The command line: builds the objects, mounts the sub-commands, nothing else."""
