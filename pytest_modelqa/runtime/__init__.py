"""Answers requests in isolated workers and keeps the evidence; knows no check."""
