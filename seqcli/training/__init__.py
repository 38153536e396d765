"""The training loop and what it is made of. It never decodes or scores: it is handed `validate`."""
