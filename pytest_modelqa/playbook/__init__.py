"""The border: a YAML file with positions in, frozen values or all its mistakes at once out."""
