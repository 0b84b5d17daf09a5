"""A GGUF file read and written by the gguf package, as other tools do it."""

from __future__ import annotations

from pathlib import Path


def resave(src: Path, dst: Path) -> None:
    """Write every key and every tensor of `src` again, by the package's own reader and writer."""
    from gguf import GGUFReader, GGUFWriter  # noqa: PLC0415 - numpy tables, only when planting

    reader = GGUFReader(src)
    architecture = reader.fields["general.architecture"].contents()
    writer = GGUFWriter(dst, architecture)
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        kind, *inner = field.types
        writer.add_key_value(key, field.contents(), kind, inner[-1] if inner else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
