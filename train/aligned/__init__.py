"""Pretraining on aligned faces: the cache, variation, the training within a time, and its tests."""
