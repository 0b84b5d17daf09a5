"""Finished records to text: terminal, JUnit, JSON. No pytest, no engine, no judgement."""
