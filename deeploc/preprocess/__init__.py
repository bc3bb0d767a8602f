"""From a clip to what the model is shown: face crops, features of the sound, windows of both."""
