"""Fuzzing: arithmetic, tensor operations and LoRA by value; our own readers with mutated files."""
