"""The training code of the checkpoints."""
