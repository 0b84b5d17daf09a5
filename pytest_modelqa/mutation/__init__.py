"""What a playbook is worth: defects in copies of its artifact, and what its checks say."""
