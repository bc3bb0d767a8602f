"""One module a file format of annotations: its reader, its writer, and its entry `FORMAT`."""
