#!/usr/bin/env python3
"""What packaging/liftlock.service allows is enough for an engine's sandbox and for a cell: under the same rules the hostile engine
starts, and stays inside, and a cell answers. There is no systemd in a test, so this script does what it would do: the system calls, address families and
namespaces that the unit names become a seccomp filter, and what covers parts of /proc covers them.

usage: unit_test.py UNIT ENGINE_TEST OS_TEST      exit status 77: not root, no systemd-analyze, or no user namespaces here
"""
import ctypes
import errno
import os
import re
import socket
import subprocess
import sys

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
EQUAL_MASKED, NOT_EQUAL = 7, 1
NOBODY = 65534
NAMESPACES = {"cgroup": 0x02000000, "ipc": 0x08000000, "net": 0x40000000, "mnt": 0x00020000, "pid": 0x20000000, "user": 0x10000000,
              "uts": 0x04000000}
WRITE_AND_EXECUTE = 2 | 4
# Of engine_test (0) and os_test (1).
TESTS = ((0, "Escape.NoWayOutOfWhatAUserStarted"), (0, "Escape.AGrandchildThatCallsWhatNoEngineCallsEndsAllThatAUserStarted"),
         (1, "Cell.AnswersAndReadsOnlyWhatItIsGiven"))


class Compare(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("how", ctypes.c_int), ("first", ctypes.c_uint64), ("second", ctypes.c_uint64)]


def settings(unit):
    """Key → values, in their order; an empty value begins anew, as in systemd.unit(5)."""
    out = {}
    with open(unit, encoding="utf-8") as lines:
        for line in lines:
            key, is_setting, value = line.strip().partition("=")
            if is_setting and not key.startswith("#"):
                out.setdefault(key, []).extend(value.split() if value else [])
                if key == "SystemCallFilter" and value.startswith("~"):
                    out[key] = out[key][:-len(value.split())] + ["~" + word.lstrip("~") for word in value.split()]
    return out


def calls_of(word):
    if not word.startswith("@"):
        return {word}
    text = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True).stdout
    words = re.findall(r"^ {4}([-@a-z_0-9]+)$", text, re.MULTILINE)
    return set().union(*(calls_of(word) for word in words)) if words else set()


def allowed_calls(words):
    allowed = calls_of("@default")
    for word in words:
        if word.startswith("~"):
            allowed -= calls_of(word[1:])
        else:
            allowed |= calls_of(word)
    return allowed


class Filter:
    def __init__(self, library):
        self.library = library
        library.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(library.seccomp_init(ERRNO | errno.EPERM))

    def number(self, call):
        return self.library.seccomp_syscall_resolve_name(call.encode())

    def add(self, action, call, *compares):
        array = (Compare * len(compares))(*compares)
        if self.number(call) >= 0:
            self.library.seccomp_rule_add_array(self.context, ctypes.c_uint32(action), self.number(call), len(compares), array)

    def load(self):
        if self.library.seccomp_load(self.context) != 0:
            raise OSError("the filter is refused")


def load(unit, library):
    """Allowed calls, but for arguments that another setting of the unit forbids."""
    rules = Filter(library)
    forbidden = [flag for name, flag in NAMESPACES.items()
                 if unit["RestrictNamespaces"] == ["yes"] or (unit["RestrictNamespaces"] != ["no"] and name not in unit["RestrictNamespaces"])]
    families = [getattr(socket, name) for name in unit["RestrictAddressFamilies"]]
    for call in allowed_calls(unit["SystemCallFilter"]):
        if call == "socket":
            for family in families:
                rules.add(ALLOW, call, Compare(0, 4, family, 0))  # SCMP_CMP_EQ
        elif call in ("clone", "unshare") and forbidden:
            mask = 0
            for flag in forbidden:
                mask |= flag
            rules.add(ALLOW, call, Compare(0, EQUAL_MASKED, mask, 0))
        elif call == "clone3":
            rules.add(ERRNO | errno.ENOSYS, call)  # nobody can look into its argument: systemd does the same
        elif call == "sethostname" and unit.get("ProtectHostname") == ["yes"]:
            continue
        elif call in ("mmap", "mprotect", "pkey_mprotect") and unit.get("MemoryDenyWriteExecute") == ["yes"]:
            for allowed in (0, 2, 4):
                rules.add(ALLOW, call, Compare(2, EQUAL_MASKED, WRITE_AND_EXECUTE, allowed))
        else:
            rules.add(ALLOW, call)
    rules.load()


def cover_proc(unit, libc):
    """Each of these settings mounts something on /proc, or over a part of it: then nobody gets a /proc of his own."""
    for key in ("ProtectKernelTunables", "ProtectKernelLogs"):
        if unit.get(key) == ["yes"] and libc.mount(b"/proc/sys", b"/proc/sys", None, 4096, None) != 0:  # MS_BIND
            raise OSError(ctypes.get_errno(), key)
    for key in ("ProtectProc", "ProcSubset"):
        if key in unit and unit[key] not in (["default"], ["all"]):
            libc.mount(b"proc", b"/proc", b"proc", 0, b"hidepid=invisible,subset=pid")


def run(program, test, prepare):
    return subprocess.run([program, f"--gtest_filter={test}"], capture_output=True, text=True, preexec_fn=prepare, timeout=240, cwd="/",
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})


def main():
    unit_file, *programs = map(os.path.abspath, sys.argv[1:])
    if os.geteuid() != 0 or subprocess.run(["which", "systemd-analyze"], capture_output=True).returncode != 0:
        print("skipped: it needs root and systemd-analyze")
        return 77
    unit = settings(unit_file)
    libc = ctypes.CDLL(None, use_errno=True)
    library = ctypes.CDLL("libseccomp.so.2")

    def become_nobody():
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)

    def as_the_unit():
        if libc.unshare(0x00020000) != 0 or libc.mount(None, b"/", None, 0x44000, None) != 0:  # CLONE_NEWNS; MS_REC | MS_PRIVATE
            raise OSError(ctypes.get_errno(), "a mount namespace")
        cover_proc(unit, libc)
        become_nobody()
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        load(unit, library)

    for number, test in TESTS:
        program = programs[number]
        if run(program, test, become_nobody).returncode != 0:
            print(f"skipped: {test} does not pass for a user here at all")
            return 77
        under = run(program, test, as_the_unit)
        if under.returncode != 0 or "1 test." not in under.stdout or "SKIPPED" in under.stdout:
            print(f"FAILED: {test} under the rules of the unit\n" + under.stdout + under.stderr)
            return 1
    print("ok: an engine's sandbox and a cell work under the rules of the unit")
    return 0


if __name__ == "__main__":
    sys.exit(main())
