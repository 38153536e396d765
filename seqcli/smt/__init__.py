"""Statistical and rule-based translation and its parts; nothing here imports torch."""
