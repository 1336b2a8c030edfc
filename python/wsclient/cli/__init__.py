"""The command `wsclient`, or `python -m wsclient`: a WebSocket from the terminal."""
