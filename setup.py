"""Builds the extensions; everything else about the package is in pyproject.toml.

FASTRAW_BUILD_EXTENSION: "yes" makes a failing build an error, "no" leaves them out;
otherwise a failing build is a warning, and their twins in Python are used.
"""

import os
import sys

from setuptools import Extension, setup

choice = os.environ.get("FASTRAW_BUILD_EXTENSION", "")
if choice not in ("", "yes", "no"):
    sys.exit(f"FASTRAW_BUILD_EXTENSION must be yes, no or empty, not {choice!r}")

options = {
    "include_dirs": ["fastraw"],
    # -g0: what a debugger reads is four times as large as the code.
    "extra_compile_args": [] if sys.platform == "win32" else ["-O3", "-g0"],
    "optional": choice != "yes",
}
# The .pyx goes to setuptools as it is: cythonize() would lose `optional`.
extensions = [
    Extension(
        "fastraw._parse",
        ["fastraw/_parse.pyx"],
        depends=[
            *("fastraw/_octets.h", "fastraw/_known.h", "fastraw/_scan.h", "fastraw/_reuse.h"),
            *("fastraw/_names.pxi", "fastraw/_head.pxi", "fastraw/_framing.pxi"),
            *("fastraw/_chunks.pxi", "fastraw/_environ.pxi", "fastraw/_message.pxi"),
        ],
        **options,
    ),
    Extension("fastraw.apps.pep3333._wsgi", ["fastraw/apps/pep3333/_wsgi.pyx"], **options),
]
setup(ext_modules=[] if choice == "no" else extensions)
