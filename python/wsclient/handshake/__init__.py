"""What is said before a WebSocket is open: requests, answers, and what stands in them; no I/O."""
