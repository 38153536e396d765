"""A look inside a trained network: functions of a loaded model that return plain numbers."""
