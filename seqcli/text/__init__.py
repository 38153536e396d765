"""Lines of text: read, written whole or not at all, and paired."""
