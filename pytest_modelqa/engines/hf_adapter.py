"""A LoRA adapter on its base, as peft computes it: neither is merged into the other."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from peft import PeftModel

from pytest_modelqa.artifacts.adapter import base_of
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.engines.base import Settings
from pytest_modelqa.engines.hf import Transformers


class Adapted(Transformers):
    """The folder of an adapter; tokenizer and template are its base's."""

    @classmethod
    def open(cls, artifact: Path, settings: Settings) -> Self:
        """Load the base that the adapter names, and the adapter on it.

        Raises what `Transformers.open` and `base_of` raise, and Refused where they do not fit.
        """
        engine = super().open(base_of(artifact), settings)
        try:
            adapted = PeftModel.from_pretrained(engine._model, artifact)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            first = str(error).partition("\n")[0]
            raise Refused(f"peft cannot load the adapter: {first}", where=str(artifact)) from error
        engine._model = adapted.get_base_model().eval()
        engine._model.to(engine._device)
        return engine
