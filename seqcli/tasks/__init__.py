"""What one task adds to the general parts: its model, loss and validation."""
