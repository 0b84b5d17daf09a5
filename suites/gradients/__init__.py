"""Gradients of real modules against central differences in float64, with defects that must show."""
