"""The commands: each parses its options, calls one function of `seqcli.api` and prints."""
