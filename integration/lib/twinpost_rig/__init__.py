"""Black-box rig: starts mail systems on loopback, talks to them, and always cleans up."""

from .system import Account, Node, System, Twinpost
from .wait import until

__all__ = ["Account", "Node", "System", "Twinpost", "until"]
