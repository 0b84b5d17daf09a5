"""Root of the test runs: the plugin itself comes through its entry point."""

pytest_plugins = ["pytester"]
