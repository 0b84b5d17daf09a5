"""Model files: bounded readers, provisioning, pins. Nothing here opens a native loader."""
