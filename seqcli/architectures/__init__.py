"""Whole models: a module and its frozen config, one architecture a file."""
