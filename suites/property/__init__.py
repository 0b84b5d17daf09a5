"""Properties of real models and configurations, for all inputs that Hypothesis finds."""
