"""How well a checkpoint localizes, beside its baselines."""
