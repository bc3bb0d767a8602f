"""What can go wrong with a user's clip or checkpoint, in sentences that the user can act on.

Nothing here knows how an error is shown: the command line prints the message, the page puts it
in a panel.
"""


class DeepLocError(Exception):
    """A problem that the user can do something about. `str(error)` says what, in plain words."""


class UnreadableMedia(DeepLocError):
    """The file is empty, damaged, or not audio-visual media at all."""


class NoVideo(DeepLocError):
    """The file holds no video stream."""


class NoFace(DeepLocError):
    """No face was found long enough to be scored."""


class ClipTooShort(DeepLocError):
    """The clip is shorter than one window of the model."""


class ClipTooLong(DeepLocError):
    """The clip is longer than the configured limit."""


class BadCheckpoint(DeepLocError):
    """The checkpoint is missing, unreachable, or was not made by DeepLoc."""


class BadAnnotations(DeepLocError):
    """An annotation file can't be read as any format that DeepLoc knows."""


class Cancelled(Exception):
    """Raised by a progress hook to stop a run. It is no error: the user asked for it."""
