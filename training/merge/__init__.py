"""Merging an adapter into its base, and the checks that tell whether the merge is one."""
