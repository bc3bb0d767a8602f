"""Finding, following and cropping the face that is scored."""
