"""Reports of a ship decision: a file a harness, the canaries, the decision, and the incident."""
