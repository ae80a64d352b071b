"""What the command line says about native code."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from gantk.ops import native
from gantk.ops.native import NativeState
from gantk.report.doctor import examine_text

GCC = "g++ 12.2"


def _native_lines(**native: NativeState) -> list[str]:
    nothing: dict[str, Any] = {"versions": {"python": "3"}, "devices": ["cpu"], "data": {}, "unreadable": {}}
    plugins = [{"kind": "noise", "name": "de", "package": "gantk", "state": "ok"}]
    states = {part: asdict(state) for part, state in native.items()}
    text = examine_text(nothing | {"machine": "m", "threads": 1, "native": states, "plugins": plugins})
    lines = text.splitlines()
    start = lines.index("native code") + 1
    return lines[start : start + 2]


def test_doctor_says_what_is_compiled_what_can_be_used_and_what_is() -> None:
    cpu = NativeState(True, "", GCC, ("portable", "avx2", "avx512vnni"), ("portable", "avx2"), "portable")
    cuda = NativeState(True, "", "nvcc 13", ("sm_80", "sm_90"))
    assert _native_lines(cpu=cpu, cuda=cuda) == [
        f"  cpu   yes, portable of portable, avx2 (compiled: portable, avx2, avx512vnni); built by {GCC}",
        "  cuda  yes, for sm_80, sm_90; built by nvcc 13",
    ]


def test_doctor_says_why_there_is_none() -> None:
    assert _native_lines(
        cpu=NativeState(False, "no C++ compiler", "", ()), cuda=NativeState(False, "no nvcc", GCC, ("sm_80",))
    ) == ["  cpu   no: no C++ compiler", "  cuda  no: no nvcc"]


@pytest.mark.slow
@pytest.mark.skipif(not native.available("cpu"), reason="no native code here")
def test_an_instruction_set_that_does_not_exist_is_one_clear_error(gantk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANTK_CPU", "avx22")
    assert gantk("intrinsic-dim", "digits", "--subset", "200").error(2).endswith("Did you mean 'avx2'?")
    assert "  cpu   no: GANTK_CPU 'avx22' is unknown. Did you mean 'avx2'?" in gantk("doctor").worked().out
