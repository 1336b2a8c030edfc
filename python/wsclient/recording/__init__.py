"""What connections have received and sent, in files: a `Recorder` writes, a `Recording` reads."""

from .entries import Entry
from .recorder import Recorder
from .recording import Recording

__all__ = ["Entry", "Recorder", "Recording"]
