"""Train, compare and ship small sequence models from the command line."""
