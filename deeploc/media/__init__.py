"""Files with picture and sound: read, written, cut, and made playable."""
