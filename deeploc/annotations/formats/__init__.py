"""One module a file format of annotations."""
