"""A server that misbehaves: the right bytes in the end, or a reason; never other bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from pytest_modelqa.artifacts.fetching.fetch import Got, obtain
from pytest_modelqa.artifacts.fetching.settings import Settings, from_environment
from pytest_modelqa.core.errors import OutputError, Refused, Unavailable, UsageError
from tests.artifacts.hub import Hub, serving
from tests.artifacts.locking import assert_no_bad_file, entry

DATA = bytes(range(256)) * 2000
PATIENT = Settings(attempts=3, timeout_s=10, backoff_s=0.001)
QUICK = replace(PATIENT, timeout_s=1)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("no_proxy", "*")
    with serving({"m.gguf": DATA}) as hub:
        yield hub


def fetched(hub: Hub, folder: Path, settings: Settings = PATIENT, *mirrors: str) -> Got:
    one = entry(folder, f"{hub.endpoint}/m.gguf", {"m.gguf": DATA})
    file = replace(one.files[0], urls=mirrors)
    try:
        return obtain(replace(one, files=(file,)), folder / "cache", settings)
    finally:
        assert_no_bad_file(folder / "cache")


def ranges(hub: Hub) -> list[str]:
    return [a.headers.get("Range", "") for a in hub.asked]


def test_a_file_is_fetched_and_the_second_time_nobody_is_asked(tmp_path: Path, hub: Hub) -> None:
    got = fetched(hub, tmp_path)
    assert got.path.read_bytes() == DATA
    assert got.state == "fetched"
    assert fetched(hub, tmp_path) == Got(path=got.path, state="present")
    assert len(hub.asked) == 1


def test_a_cut_connection_is_continued_where_it_was_cut(tmp_path: Path, hub: Hub) -> None:
    hub.moods += ["cut:1000", "cut:70000", "status:503"]
    settings = replace(PATIENT, attempts=4)
    assert fetched(hub, tmp_path, settings).path.read_bytes() == DATA
    assert ranges(hub) == ["", "bytes=1000-", "bytes=71000-", "bytes=71000-"]


def test_a_server_that_stalls_is_left_and_asked_again(tmp_path: Path, hub: Hub) -> None:
    hub.moods += ["pause:5000"]
    assert fetched(hub, tmp_path, QUICK).path.read_bytes() == DATA
    assert ranges(hub) == ["", "bytes=5000-"]


def test_a_server_that_drips_is_left_as_one_that_stalls(tmp_path: Path, hub: Hub) -> None:
    hub.moods += ["drip"]
    assert fetched(hub, tmp_path, QUICK).path.read_bytes() == DATA
    assert len(hub.asked) == 2
    assert int(ranges(hub)[1].strip("bytes=-")) < 100


def test_a_server_that_gives_up_early_each_time_is_left_although_it_sends_much(
    tmp_path: Path, hub: Hub
) -> None:
    """It cuts, and then cannot continue: what it sends again is no progress."""
    hub.moods += ["cut:500000", "status:416"] * 10
    with pytest.raises(Unavailable, match=r"\(3 attempts\)"):
        fetched(hub, tmp_path)


def test_a_page_in_place_of_a_file_costs_nothing_of_what_is_here(tmp_path: Path, hub: Hub) -> None:
    """What a captive portal sends: another length, and no ranges."""
    hub.moods += ["cut:1000", "status:404", "length:99"]
    mirrors = [f"{hub.endpoint}/Org/Model/resolve/a/m.gguf"]
    with pytest.raises(Refused, match="it has 99 bytes"):
        fetched(hub, tmp_path, replace(PATIENT, attempts=2), *mirrors)
    assert fetched(hub, tmp_path).path.read_bytes() == DATA
    assert ranges(hub)[-1] == "bytes=1000-"


def test_a_server_that_always_stalls_is_unavailable_and_its_part_is_kept(
    tmp_path: Path, hub: Hub
) -> None:
    hub.moods += ["pause:5000"] * 3
    with pytest.raises(Unavailable, match=r"Timeout.*\(3 attempts\)"):
        fetched(hub, tmp_path, QUICK)
    (part,) = (tmp_path / "cache" / "blobs").glob("*.part")
    assert part.read_bytes() == DATA[:15000]
    assert fetched(hub, tmp_path, QUICK).path.read_bytes() == DATA
    assert ranges(hub)[-1] == "bytes=15000-"


@pytest.mark.parametrize("mood", ["whole", "shift", "status:416"])
def test_a_server_that_cannot_continue_starts_over(tmp_path: Path, hub: Hub, mood: str) -> None:
    hub.moods += ["cut:1000", mood]
    assert fetched(hub, tmp_path).path.read_bytes() == DATA


def test_a_part_that_was_spoilt_is_fetched_anew(tmp_path: Path, hub: Hub) -> None:
    hub.moods += ["cut:1000"] * 3
    with pytest.raises(Unavailable, match="the connection was cut at 3000 of 512000 bytes"):
        fetched(hub, tmp_path)
    (part,) = (tmp_path / "cache" / "blobs").glob("*.part")
    part.write_bytes(b"x" * 3000)
    assert fetched(hub, tmp_path).path.read_bytes() == DATA
    assert ranges(hub)[-2:] == ["bytes=3000-", ""]


@pytest.mark.parametrize(
    ("mood", "why"),
    [
        ("other", "its sha256 is .*, the pin says"),
        ("length:511999", "it has 511999 bytes, the pin says 512000"),
        ("length:600000", "it has 600000 bytes, the pin says 512000"),
        ("endless", "it sends more than 512000 bytes"),
    ],
)
def test_other_bytes_are_refused_and_not_kept(
    tmp_path: Path, hub: Hub, mood: str, why: str
) -> None:
    hub.moods.append(mood)
    with pytest.raises(Refused, match=why):
        fetched(hub, tmp_path)
    assert not list((tmp_path / "cache" / "blobs").glob("[0-9a-f]" * 64))
    assert fetched(hub, tmp_path).path.read_bytes() == DATA, "and it is no obstacle later"


def test_mirrors_are_asked_in_turn(tmp_path: Path, hub: Hub) -> None:
    hub.moods += ["status:404", "other", ""]
    mirrors = [f"{hub.endpoint}/Org/Model/resolve/{n}/m.gguf" for n in ("a", "b", "c")]
    assert fetched(hub, tmp_path, PATIENT, *mirrors).path.read_bytes() == DATA
    assert [a.path for a in hub.asked] == [
        "/m.gguf", "/Org/Model/resolve/a/m.gguf", "/Org/Model/resolve/b/m.gguf",
    ]  # fmt: skip


def test_a_second_mirror_continues_what_the_first_began(tmp_path: Path, hub: Hub) -> None:
    hub.moods += ["cut:1000", "status:404"]
    assert fetched(hub, tmp_path, PATIENT, f"{hub.endpoint}/m.gguf").path.read_bytes() == DATA
    assert ranges(hub) == ["", "bytes=1000-", "bytes=1000-"]


def test_retry_after_is_honoured_as_seconds_and_as_a_date(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    hub.moods += ["status:429:7", f"status:503:{date}"]
    assert fetched(hub, tmp_path).path.read_bytes() == DATA
    assert slept[0] == 7
    assert 30 < slept[1] <= 60


def test_a_server_that_wants_to_be_left_alone_for_long_is(tmp_path: Path, hub: Hub) -> None:
    for after, said in (("86400", "86400"), ("9" * 400, "inf")):
        hub.moods += [f"status:429:{after}"]
        with pytest.raises(Unavailable, match=f"asks to be left alone for {said} s"):
            fetched(hub, tmp_path)
    assert len(hub.asked) == 2


@pytest.mark.parametrize("after", ["soon", "-5", "Wed, 21 Oct 2015 07:28:00"])
def test_a_retry_after_that_makes_no_sense_does_no_harm(
    tmp_path: Path, hub: Hub, after: str
) -> None:
    hub.moods += [f"status:429:{after}"]
    assert fetched(hub, tmp_path).path.read_bytes() == DATA


def test_a_redirect_loop_ends(tmp_path: Path, hub: Hub) -> None:
    hub.moods += ["to:/m.gguf"] * 100
    with pytest.raises(Unavailable, match=r"HTTP 302.*infinite loop"):
        fetched(hub, tmp_path)
    assert len(hub.asked) < 20


def test_no_redirect_leads_to_a_file_or_to_plain_http(tmp_path: Path, hub: Hub) -> None:
    for place in ("file:///etc/passwd", "http://mirror.invalid/m.gguf", "ftp://mirror.invalid/m"):
        hub.moods += [f"to:{place}"]
        with pytest.raises(Unavailable, match=r"not https|not allowed"):
            fetched(hub, tmp_path)


def test_the_token_goes_to_the_hub_and_not_where_it_redirects(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    pinned = entry(tmp_path, "hf:Org/Model:m.gguf", {"m.gguf": DATA})
    with serving({"m.gguf": DATA}) as storage:
        hub.moods += ["to:/Org/Model/resolve/v1/m.gguf", f"to:{storage.endpoint}/m.gguf"]
        assert obtain(pinned, tmp_path / "cache", PATIENT).path.read_bytes() == DATA
    assert [a.headers.get("Authorization") for a in hub.asked] == ["Bearer hf_secret"] * 2
    assert [a.headers.get("Authorization") for a in storage.asked] == [None]


def test_a_mirror_gets_no_token(tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.moods += ["status:401"]
    with pytest.raises(Unavailable, match="HTTP 401") as caught:
        fetched(hub, tmp_path)
    assert "modelqa fetch --id one" in caught.value.remedy
    assert "Authorization" not in hub.asked[0].headers


def test_without_space_nothing_is_asked_for(tmp_path: Path, hub: Hub) -> None:
    one = entry(tmp_path, f"{hub.endpoint}/m.gguf", {"m.gguf": DATA})
    huge = replace(one, files=(replace(one.files[0], bytes=1 << 60),))
    with pytest.raises(OutputError, match="MB are needed") as caught:
        obtain(huge, tmp_path / "cache", PATIENT)
    assert "MODELQA_CACHE" in caught.value.remedy
    assert not hub.asked


def test_a_licence_is_accepted_before_anything_is_fetched(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    gated = entry(tmp_path, f"{hub.endpoint}/m.gguf", {"m.gguf": DATA}, accept=True)
    with pytest.raises(Unavailable, match="the licence MIT has to be accepted") as caught:
        obtain(gated, tmp_path / "cache", PATIENT)
    assert "--accept-licence one" in caught.value.remedy
    assert not hub.asked
    monkeypatch.setenv("MODELQA_ACCEPT_LICENCE", "other, one")
    assert obtain(gated, tmp_path / "cache", from_environment()).state == "fetched"
    assert obtain(gated, tmp_path / "cache", PATIENT).state == "present"


@pytest.mark.parametrize("host", ["a..invalid", "x" * 70 + ".invalid"])
def test_a_host_that_cannot_be_is_unavailable(tmp_path: Path, hub: Hub, host: str) -> None:
    one = entry(tmp_path, f"https://{host}/m.gguf", {"m.gguf": DATA})
    with pytest.raises(Unavailable, match=r"m\.gguf could not be fetched"):
        obtain(one, tmp_path / "cache", PATIENT)


def test_a_name_beyond_ascii_is_asked_for(tmp_path: Path, hub: Hub) -> None:
    hub.files["mod%C3%A8le%20%C3%BC.gguf"] = DATA
    one = entry(tmp_path, f"{hub.endpoint}/", {"modèle ü.gguf": DATA})
    assert (obtain(one, tmp_path / "cache", PATIENT).path / "modèle ü.gguf").read_bytes() == DATA


def test_a_number_that_is_none_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELQA_FETCH_ATTEMPTS", "many")
    with pytest.raises(UsageError, match="MODELQA_FETCH_ATTEMPTS='many'"):
        from_environment()
