"""Model files: bounded readers of our own, provisioning, pins. Nothing here opens a native loader."""
