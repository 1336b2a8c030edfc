"""`python -m wsclient.demo`: the documented example against a local server, with a clock."""
