"""Search for the best output of a trained model."""
