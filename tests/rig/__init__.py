"""The bench of scenario tests and demo: real broker, real web server, the cloud's side, boards and the daemon.

Only the standard library. Every server listens on 127.0.0.1 only, on a free port; every child dies with its parent.
"""
