"""The training objectives, as functions of tensors: one file a term, and their weighted sum."""
