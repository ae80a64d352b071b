"""Something happens at one file operation of a run: a kill, or an error of the system."""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

NAMES = ("rename", "replace", "link", "mkdir", "unlink", "rmdir")


class Operations:
    """Counts the operations on files below a folder: openings, writes, flushes, renames, deletions.

    Args:
        folder: the folder.
        at: the number of the operation, from 1, at which something happens; 0 for none.
        happens: what happens then; what it raises is raised by the operation.
    """

    def __init__(self, folder: Path, at: int = 0, happens: Callable[[], None] = lambda: None) -> None:
        self._folder, self._at, self._happens = str(folder.absolute()), at, happens
        self.count = 0
        self.last = ""

    def begin(self, name: str) -> None:
        self.count += 1
        if self.count == self._at:
            self.last = name
            self._happens()

    def _here(self, path: Any) -> bool:
        return isinstance(path, (str, os.PathLike)) and os.path.abspath(path).startswith(self._folder)

    @contextmanager
    def counted(self) -> Iterator[None]:
        usual_open = builtins.open

        def opened(path: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            if not self._here(path):
                return usual_open(path, mode, *args, **options)
            self.begin(f"open {mode}")
            file = usual_open(path, mode, *args, **options)
            return _File(file, self) if set(mode) & set("wxa") else file

        def hooked(name: str) -> Callable[..., Any]:
            usual = getattr(os, name)

            def operation(*args: Any, **options: Any) -> Any:
                if name == "fsync" or self._here(args[0]) or "dir_fd" in options:
                    self.begin(name)
                return usual(*args, **options)

            return operation

        with ExitStack() as stack:
            for each in (*NAMES, "fsync"):
                stack.enter_context(patch.object(os, each, hooked(each)))
            stack.enter_context(patch.object(io, "open", opened))
            stack.enter_context(patch.object(builtins, "open", opened))
            yield


class _File:
    """An open file whose writes are counted."""

    def __init__(self, file: Any, operations: Operations) -> None:
        self._file, self._operations = file, operations

    def write(self, content: Any) -> Any:
        self._operations.begin("write")
        return self._file.write(content)

    def __enter__(self) -> _File:
        self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._file.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
