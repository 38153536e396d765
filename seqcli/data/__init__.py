"""From lines of text to batches of padded token ids."""
