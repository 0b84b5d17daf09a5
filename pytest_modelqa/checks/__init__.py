"""Pure questions: no pytest, no pydantic, no engine. They declare requests and judge answers."""
