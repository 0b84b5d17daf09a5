"""Defects that models get on their way, each as a function on a copy of the user's own artifact."""
