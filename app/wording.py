"""Every sentence of the page that does not depend on a report."""

from __future__ import annotations

TITLE = "DeepLoc"
TAGLINE = "Finds <em>when</em> a talking-face video was forged, in picture or in sound."
THEME_LABEL = "Switch between light and dark"
DROP = "Drop a talking-face video here, or several, or click to choose"
PRIVACY = (
    "Your clip stays on the machine that runs this page: nothing is sent on, nothing is kept for "
    "training, and uploads are deleted after an hour."
)
LIMITS = (
    "DeepLoc looks at one face and one voice at a time. Heavy compression, small faces and kinds "
    "of forgery that it has never met can hide from it, and authentic clips can look surprising."
)
EXAMPLES_HEADING = "Or try an example"
EXAMPLES = {
    "authentic.mp4": ("Authentic", "Nothing was forged: what a quiet curve looks like."),
    "picture.mp4": ("Forged picture", "For about a second the mouth was replaced."),
    "sound.mp4": ("Forged sound", "For a second another voice speaks."),
}
OTHER_EXAMPLE = ("Example", "A clip with known truth.")

# What each reason for an unscored stretch means.
REASONS = {
    "no usable face": "The face is missing here, too small, or turned away.",
    "frozen picture": "The picture stands still, so there is no movement to judge.",
    "cut": "One shot changes into the next here. That is editing, and no evidence of forgery.",
    "shot too short": "The shot is too short to know what is usual in it.",
    "unreadable": "The picture can't be decoded here.",
    "the file has no sound": "Only the picture could be judged.",
    "no sound": "There is no sound here.",
    "no speech": "Nobody speaks here, and only speech can be judged.",
    "too little speech": "There is too little speech to know what is usual for this voice.",
}

STAGES = {
    "decode": "Read the clip",
    "faces": "Follow the faces",
    "reconstruct": "Reconstruct face and sound",
    "discover": "Find forged intervals",
}
RETRY = "Try this clip again"
CANCEL = "Cancel"
AGAIN = "Analyse another clip"
NOT_ARRIVED = "The clip did not arrive. Choose it again."
WAITING = "Waiting for a free place …"
PREPARING = "Preparing the picture for your browser …"
CANCELLED = "Stopped. Your clip is still here."
FAILED = "This clip could not be analysed"
KEPT = "Your clip is still here: try it again, or choose another one."
BROKEN = (
    "Something went wrong inside DeepLoc, so there is no result for this clip. "
    "What happened was written to the server's log."
)
FACES_LABEL = "Which face is scored"
TRUTH_LABEL = "Ground truth (optional)"
TRUTH_FILE = "Truth file"
TRUTH_HELP = (
    "A truth file adds a lane G. It may be one of: {formats}. Of several clips, the row with this "
    "clip's file name is used."
)
TRUTH_SHOWN = "Lane G shows the truth from {name}."
GONE = "The report is no longer kept here. Analyse the clip again to save it."
LINK_GONE = (
    "The result of this link is no longer kept: clips and results are deleted after an hour, and "
    "when the page is restarted. Analyse the clip again."
)
PUSH_LABEL = "Keep it on the Hugging Face Hub"
PUSH_HELP = (
    "Your annotation and the report go into a dataset of yours, which is made, for your eyes only, "
    "where there is none. The clip stays here."
)
PUSH_DATASET = "Dataset"
PUSH_BUTTON = "Push annotation and report"
PUSH_SIGN_IN = "Sign in with Hugging Face first: the button is at the top of the page."
PUSH_NAME = "Name the dataset as owner/name, with your own name or that of your organization."
PUSH_NOTHING = "There is nothing to push yet: analyse a clip, or label one."
PUSH_REFUSED = (
    "The Hub does not let you write to {dataset}. Check its name, and whether you allowed this "
    "page to write to your repositories when you signed in."
)
PUSH_AWAY = "The Hub can't be reached. Try again later; your annotation is still here."
PUSHED = "Kept on the Hub: {address}"
BATCH_LABEL = "The clips that you analysed together"
BATCH_HELP = "Choose a row to open it. Click a heading to sort."
BATCH_RUNNING = "Rows open when all clips are done, or when you cancel."
BATCH_DONE = "{count} clips are done."
BATCH_ZIP = "Save all reports"
MODEL_LABEL = "Model"
OWN_MODEL = "The model of this page"
MODEL_HELP = (
    "Pick one, or type a repository on the Hugging Face Hub, as owner/name or owner/name@revision."
)
MODEL_LOADED = "{name}, revision {revision}"
NO_SUCH_MODEL = (
    "{name} is no model. Pick one of the list, or type a repository on the Hub as owner/name or "
    "owner/name@revision."
)
INSTEAD = "The model of this page could not be had, so the embedded one is used. {reason}"
UNAVAILABLE = (
    "There is no model: {reason} The examples open, and so do clips for labelling and saved "
    "reports; new clips can't be analysed."
)
NO_GPU = "No GPU was free for this clip, so it was analysed on the processor, which takes longer."
