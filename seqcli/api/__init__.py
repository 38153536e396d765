"""What seqcli does, one verb a file: the public functions that the commands call."""
