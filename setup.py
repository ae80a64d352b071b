"""Builds gantk's native code ahead of time, with ninja and pybind11, from whatever lies in csrc/.

    GANTK_NATIVE=0   no native code        GANTK_NATIVE=1   a failing build is an error
    GANTK_CUDA=0     no CUDA code          GANTK_CUDA=1     the same for CUDA
    CUDA_HOME, CXX, CXXFLAGS, LDFLAGS      as everywhere

Without them the CPU part is built where there is a compiler, and the CUDA part where there is nvcc and the
environment's torch has CUDA. What cannot be built is left out: gantk then runs on torch's own operations, and
gantk/ops/_build.json, which `gantk doctor` reads, holds the reason. No header of torch's is needed: see docs/native.md.
For work on csrc/:

    python setup.py build_ext --inplace      compiles what has changed
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import asdict, dataclass, field
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
SOURCES = ROOT / "csrc"
PLACE = Path("gantk", "ops")

_AVX2 = ["-mavx2", "-mfma", "-mf16c"]
_AVX512 = [*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni"]
INSTRUCTION_SETS = {"avx2": _AVX2, "avx512vnni": _AVX512, "amx": [*_AVX512, "-mamx-tile", "-mamx-int8"]}
"""Flags for the files whose names end so. All else runs on every machine of the architecture."""

CUDA_ARCHITECTURES = ["80", "90"]
"""Compiled to machine code; newer ones get the last one's PTX."""


class Unbuilt(Exception):
    """Why a part of the native code is not there, in one line."""


@dataclass
class Part:
    """What came of one extension module, for `gantk doctor`."""

    built: bool = False
    reason: str = ""
    compiler: str = ""
    targets: list[str] = field(default_factory=list)


def wish(variable: str) -> bool | None:
    """Whether somebody asks for it (True), against it (False), or leaves it to us (None)."""
    value = os.environ.get(variable, "")
    if value not in ("", "0", "1"):
        raise SystemExit(
            f"gantk: {variable} is {value!r}, but can only be 0 or 1; unset it to build what can be built."
        )
    return None if value == "" else value == "1"


def version_line(command: list[str]) -> str:
    """What a compiler calls itself."""
    try:
        found = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except OSError as error:
        raise Unbuilt(f"{command[0]} cannot be run: {error.strerror}") from None
    lines = [line for line in found.stdout.splitlines() if line.strip()]
    if found.returncode or not lines:
        raise Unbuilt(f"the compiler {shlex.join(command)} does not work: --version exits {found.returncode}")
    release = [line for line in lines if "release" in line]  # nvcc's first lines are its name and copyright
    return (release or lines)[0].strip()


def cxx() -> list[str]:
    """The C++ compiler: $CXX, else what the PATH has."""
    if platform.system() == "Windows":
        raise Unbuilt("the build knows GCC's and Clang's options, not those of Windows' compiler")
    if given := shlex.split(os.environ.get("CXX", "")):
        return given
    for name in ("c++", "g++", "clang++"):
        if path := shutil.which(name):
            return [path]
    raise Unbuilt("no C++ compiler is on the PATH: install g++ or clang++, or name one with CXX=…")


def compiles(compiler: list[str], flags: list[str]) -> bool:
    """Whether the compiler knows these flags, for the machine that it compiles for."""
    command = [*compiler, "-Werror", *flags, "-fsyntax-only", "-x", "c++", "-"]
    return subprocess.run(command, input="int x;\n", text=True, capture_output=True, check=False).returncode == 0


def nvcc() -> str:
    """The CUDA compiler: of $CUDA_HOME, the PATH, or the usual folder."""
    home = os.environ.get("CUDA_HOME")
    usual = str(Path("/usr/local/cuda/bin/nvcc"))
    found = shutil.which(str(Path(home, "bin", "nvcc"))) if home else shutil.which("nvcc") or shutil.which(usual)
    if not found:
        raise Unbuilt(f"there is no nvcc {f'in CUDA_HOME={home}' if home else 'on the PATH or in /usr/local/cuda'}")
    return found


def torch_lacks_cuda() -> str:
    """Why CUDA code would be of no use to this environment's torch; empty where it would, or where there is none yet.

    Read as text: in an isolated build torch cannot be imported, while these paths are still the environment's.
    """
    for folder in {sysconfig.get_path("platlib"), sysconfig.get_path("purelib")}:
        version = Path(folder, "torch", "version.py")
        if version.is_file():
            text = version.read_text(encoding="utf-8")
            cuda = re.search(r"^cuda\b[^=]*=\s*(.+)$", text, re.MULTILINE)
            if cuda and cuda[1].strip() == "None":
                name = re.search(r"^__version__\s*=\s*['\"](.+)['\"]", text, re.MULTILINE)
                return f"it was installed beside torch{f' {name[1]}' if name else ''}, which has no CUDA"
    return ""


def quoted(words: list[str]) -> str:
    """Words as a command in a ninja file."""
    return shlex.join(words).replace("$", "$$")


def path(place: Path) -> str:
    """A path as a ninja file writes it."""
    return re.sub(r"([$ :])", r"$\1", str(place))


class Ninja:
    """One ninja file, and what it builds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines = ["ninja_required_version = 1.5", f"builddir = {path(folder)}"]

    def rule(self, name: str, command: str, dependencies: bool) -> None:
        self.lines += [f"rule {name}", f"  command = {command}", f"  description = {name} $out"]
        if dependencies:
            self.lines += ["  depfile = $out.d", "  deps = gcc"]

    def compile(self, rule: str, source: Path, flags: list[str]) -> Path:
        compiled = self.folder / source.relative_to(SOURCES).with_suffix(source.suffix + ".o")
        self.lines += [f"build {path(compiled)}: {rule} {path(source)}", f"  flags = {quoted(flags)}"]
        return compiled

    def link(self, rule: str, library: Path, parts: list[Path]) -> None:
        self.lines.append(f"build {path(library)}: {rule} {' '.join(path(part) for part in parts)}")

    def build(self, library: Path) -> None:
        import fcntl  # not on Windows, where no compiler is known

        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "build.ninja"
        command = [sys.executable, "-m", "ninja", "-f", str(file), str(library)]
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # ninja does not notice another one in its folder
            file.write_text("\n".join([*self.lines, ""]), encoding="utf-8")
            done = subprocess.run(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
        print(done.stdout, end="", flush=True)
        if done.returncode:
            lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
            errors = [line for line in lines if "error:" in line or "No module named" in line]
            raise Unbuilt(f"the build failed: {(errors or lines or ['ninja said nothing'])[0]}")


def common_flags() -> list[str]:
    try:
        import pybind11
    except ImportError:
        raise Unbuilt("pybind11 is not installed, and this build is not isolated: pip install pybind11 ninja") from None
    headers = {sysconfig.get_path("include"), sysconfig.get_path("platinclude")}
    return [
        f"-I{SOURCES}",
        *(word for place in (pybind11.get_include(), *sorted(headers)) for word in ("-isystem", place)),
    ]


def library_name(module: str) -> str:
    return module + str(sysconfig.get_config_var("EXT_SUFFIX") or ".so")


def split(files: list[Path]) -> tuple[list[Path], list[Path]]:
    """The files of the CPU's module, and those of CUDA's."""
    cuda = [file for file in files if file.suffix == ".cu" or "cuda" in file.stem.split("_")]
    return [file for file in files if file not in cuda], cuda


def sources() -> tuple[list[Path], list[Path]]:
    return split(sorted([*SOURCES.rglob("*.cpp"), *SOURCES.rglob("*.cu")]))


CXX_FLAGS = ["-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-pthread", "-ffp-contract=off"]
"""Nothing is contracted to fused multiply-adds unasked: every instruction set gives the same bits."""


def build_cpu(folder: Path, part: Part) -> Path:
    compiler = cxx()
    part.compiler = version_line(compiler)
    known = {name: flags for name, flags in INSTRUCTION_SETS.items() if compiles(compiler, flags)}
    part.targets = ["portable", *known]
    flags = [*CXX_FLAGS, *(f"-DGANTK_HAS_{name.upper()}" for name in known), *common_flags()]
    flags += shlex.split(os.environ.get("CXXFLAGS", ""))
    ninja = Ninja(folder)
    ninja.rule("cxx", f"{quoted(compiler)} -MMD -MF $out.d {quoted(flags)} $flags -c $in -o $out", dependencies=True)
    shared = ["-bundle", "-undefined", "dynamic_lookup"] if platform.system() == "Darwin" else ["-shared"]
    ending = shlex.split(os.environ.get("LDFLAGS", ""))
    ninja.rule("link", f"{quoted([*compiler, *shared, '-pthread'])} $in -o $out {quoted(ending)}", dependencies=False)
    parts = [ninja.compile("cxx", file, known.get(file.stem.rpartition("_")[2], [])) for file in sources()[0]]
    library = folder / library_name("_native")
    ninja.link("link", library, parts)
    ninja.build(library)
    return library


def build_cuda(folder: Path, part: Part) -> Path:
    compiler = nvcc()
    part.compiler = version_line([compiler])
    last = CUDA_ARCHITECTURES[-1]
    part.targets = [*(f"sm_{number}" for number in CUDA_ARCHITECTURES), f"compute_{last}"]
    if wish("GANTK_CUDA") is None and (reason := torch_lacks_cuda()):
        raise Unbuilt(f"{reason}; GANTK_CUDA=1 builds it all the same")
    host = cxx()
    codes = [f"-gencode=arch=compute_{number},code=sm_{number}" for number in CUDA_ARCHITECTURES]
    codes.append(f"-gencode=arch=compute_{last},code=compute_{last}")
    device = [
        compiler,
        "-ccbin",
        host[0],
        "-std=c++17",
        "-O3",
        "-Xcompiler",
        "-fPIC,-fvisibility=hidden",
        f"-I{SOURCES}",
        *codes,
    ]
    ninja = Ninja(folder)
    ninja.rule("nvcc", f"{quoted(device)} $flags -MD -MF $out.d -c $in -o $out", dependencies=True)
    flags = [*CXX_FLAGS, *common_flags(), *shlex.split(os.environ.get("CXXFLAGS", ""))]
    ninja.rule("cxx", f"{quoted(host)} -MMD -MF $out.d {quoted(flags)} $flags -c $in -o $out", dependencies=True)
    # nvcc links the CUDA runtime statically: any driver that is new enough will do, whatever CUDA torch brings.
    ninja.rule("link", f"{quoted([compiler, '-ccbin', host[0], '-shared'])} $in -o $out", dependencies=False)
    files = sources()[1]
    if not files:
        raise Unbuilt("csrc/ holds no CUDA code")
    parts = [ninja.compile("nvcc" if file.suffix == ".cu" else "cxx", file, []) for file in files]
    library = folder / library_name("_native_cuda")
    ninja.link("link", library, parts)
    ninja.build(library)
    return library


class BuildNative(build_ext):
    """Builds both modules, and writes down what came of each."""

    command_name = "build_ext"  # what its warnings begin with
    written: tuple[Path, ...] = ()

    def run(self) -> None:
        # A folder of its own for work in place: the other paths of an isolated build would have all compiled anew.
        folder = (ROOT / "build" / "inplace") if self.inplace else Path(self.build_temp).resolve() / "native"
        place = (ROOT if self.inplace else Path(self.build_lib)) / PLACE
        place.mkdir(parents=True, exist_ok=True)
        parts: dict[str, Part] = {}
        libraries: list[Path] = []
        for name, variable, build in (("cpu", "GANTK_NATIVE", build_cpu), ("cuda", "GANTK_CUDA", build_cuda)):
            part = parts[name] = Part()
            try:
                if wish("GANTK_NATIVE") is False:
                    raise Unbuilt("it was installed with GANTK_NATIVE=0")
                if wish(variable) is False:
                    raise Unbuilt(f"it was installed with {variable}=0")
                libraries.append(build(folder / name, part))
                part.built = True
            except Unbuilt as error:
                part.reason = str(error)
                if wish(variable):
                    raise SystemExit(
                        f"gantk: {variable}=1, but native code for {name} cannot be built: {error}."
                    ) from None
        self.tell(parts)
        self.written = (place / "_build.json", *(place / library.name for library in libraries))
        for stale in {*place.glob(f"_native*{sysconfig.get_config_var('EXT_SUFFIX')}")} - set(self.written):
            stale.unlink()
        for library in libraries:
            put(library.read_bytes(), place / library.name)
        text = json.dumps({name: asdict(part) for name, part in parts.items()}, indent=2) + "\n"
        put(text.encode(), place / "_build.json")

    def tell(self, parts: dict[str, Part]) -> None:
        if not parts["cpu"].built:
            self.warn(
                f"gantk is installed without native code ({parts['cpu'].reason}): searches for nearest neighbors will "
                "be many times slower; gantk doctor shows the state"
            )
        if not parts["cuda"].built and parts["cuda"].reason.startswith("the build failed"):
            self.warn(
                f"gantk is installed without native CUDA code ({parts['cuda'].reason}); gantk doctor shows the state"
            )

    def get_outputs(self) -> list[str]:
        return [str(file) for file in self.written]

    def get_output_mapping(self) -> dict[str, str]:
        return {}


def put(content: bytes, file: Path) -> None:
    """Replaces the file: one that a running process has mapped must not change under it."""
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    aside.write_bytes(content)
    aside.chmod(0o755 if file.suffix in (".so", ".pyd") else 0o644)
    os.replace(aside, file)


if __name__ == "__main__":
    setup(ext_modules=[Extension("gantk.ops._native", sources=[])], cmdclass={"build_ext": BuildNative})
