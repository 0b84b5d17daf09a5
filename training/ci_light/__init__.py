"""A real Llama small enough for CI: made here in about a minute, and it answers its questions.

`python -m training.ci_light FOLDER` writes a Hugging Face folder. Every step is deterministic: the
corpus is generated, the tokenizer is trained on it, the model is trained with fixed seeds and a
fixed number of threads for a fixed number of steps. The same library versions on the same machine
give the same bytes.
"""
