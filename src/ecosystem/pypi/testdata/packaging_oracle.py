#!/usr/bin/env python3
"""What pip's own copy of the `packaging` library says of versions, specifiers and markers, as lines for version_test."""
import itertools

from pip._vendor.packaging.markers import Marker
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.specifiers import InvalidSpecifier, Specifier
from pip._vendor.packaging.version import InvalidVersion, Version

VERSIONS = """1 1.0 1.0.0 1.0.1 1.1 2 10 0 1a1 1.0a2 1.0b1 1.0rc1 1.0-rc.1 1.0c2 1.0alpha 1.0.beta3 1.0pre4 1.0preview5
1.0.dev1 1.0a1.dev2 1.0.post1 1.0-1 1.0rev2 1.0-r4 1.0post 1.0.post1.dev3 1!0.5 1!1.0 v1.2 1.0+abc 1.0+abc.5 1.0+5 1.0+ubuntu-1
1.0+local_2 2.1.0+cu118 1.2.3.4.5.6 2024.1.1 1.0.0a1 1.0.dev0 0.0.1 1.0a1.post2 1.0.post2 3.11 3.9 1..0 1.0. a1 1.0+ 1.0+a..b
1.0-a-1 1.0a-1 1.0a.1 1_0 1.0_post_1 1.0x 1,0 01.02 1.0a01 1.0.*""".split()
OPERATORS = ["==", "!=", "<=", ">=", "<", ">", "~="]
ENVIRONMENT = {"python_version": "3.11", "python_full_version": "3.11.7", "os_name": "posix", "sys_platform": "linux",
               "platform_machine": "x86_64", "platform_system": "Linux", "platform_release": "6.1", "platform_version": "#1",
               "implementation_name": "cpython", "implementation_version": "3.11.7",
               "platform_python_implementation": "CPython", "extra": ""}
MARKERS = ["python_version >= '3.8'", "python_version < '3.10'", "python_version < '3.9' or sys_platform == 'linux'",
           "(python_version > '3' and os_name == 'nt') or extra == 'test'", "extra == 'a-b'",
           "'linux' in sys_platform", "sys_platform not in 'win32 cygwin'", "python_full_version >= '3.11.4'",
           "platform_machine == 'x86_64' or platform_machine == 'aarch64'", "implementation_name != 'pypy'",
           "python_version == '3.*'", "python_version in '3.11, 3.12'", "'3.8' <= python_version",
           "platform_python_implementation == \"CPython\" and python_version >= \"3\"",
           "os_name == 'posix' and sys_platform == 'linux' or python_version < '2'"]
REQUIREMENTS = ["idna", "idna>=2.5", "idna (>=2.5,<4)", "Requests[socks,use_chardet_on_py3] ~= 2.0", "a @ https://example.test/a.whl",
                "a.b-c_d==1.*; python_version<'4'", "x>=1 ; extra == 'y'", "x[", "", "-x", "x; unknown == '1'",
                "x; python_version", "x; python_version == ", "x ; (python_version > '3'", "x y", "x[]", "numpy >=1.2, !=1.3.*"]


def parsed(kind, text):
    try:
        return kind(text)
    except Exception:
        return None


versions = [(text, parsed(Version, text)) for text in VERSIONS]
for text, version in versions:
    print("version", text, str(version) if version else "invalid", sep="\t")
for (a, left), (b, right) in itertools.product([v for v in versions if v[1]], repeat=2):
    print("order", a, b, (left > right) - (left < right), sep="\t")
for operator, (text, _) in itertools.product(OPERATORS, versions):
    for suffix in ("", ".*"):
        specifier = parsed(Specifier, operator + text + suffix)
        # Its older versions compare texts, which goes wrong for what is not in normal form.
        if specifier is None or str(parsed(Version, text)) != text:
            continue
        plain = not (parsed(Version, text).is_prerelease or parsed(Version, text).is_postrelease)
        if (operator == "~=" or suffix) and not plain:
            continue
        for candidate, version in versions:
            # Older versions do not pad 1.0.post1 to 1.0.0.post1.
            short = (operator == "~=" or suffix) and len(version.release if version else ()) < len(parsed(Version, text).release)
            if version and not short:
                print("allows", operator + text + suffix, candidate, int(specifier.contains(version, prereleases=True)), sep="\t")
for marker in MARKERS:
    for extra in ("", "test", "a-b"):
        print("marker", marker, extra, int(Marker(marker).evaluate({**ENVIRONMENT, "extra": extra})), sep="\t")
for text in REQUIREMENTS:
    requirement = parsed(Requirement, text)
    print("requirement", text, requirement.name if requirement else "invalid", sep="\t")
