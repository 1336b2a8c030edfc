"""Where the adapter does something else than websockets, and why."""

DIFFERENCES: dict[str, str] = {}
"""Names of scenarios; the reason tells the defect of websockets' that is not taken over."""
