"""Recurrent building blocks. They know tensors and numbers, never text, files or configs."""
