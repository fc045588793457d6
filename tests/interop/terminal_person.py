"""A person at a terminal who talks with a model. usage: terminal_person.py LIFTLOCK STATE FOLDER"""
import os
import pty
import re
import select
import sys
import time

liftlock, state, folder = sys.argv[1:]
history = os.path.join(folder, "history")


class Terminal:
    def __init__(self, *arguments):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm", LANG="C.UTF-8")
            os.execv(liftlock, [liftlock, "--quiet", "--state", state, *arguments])
        self.seen = ""

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def until(self, pattern, seconds=60):
        """What was shown up to and with the pattern; the rest is for the next call."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.seen)
            if found:
                shown, self.seen = self.seen[:found.end()], self.seen[found.end():]
                return shown
            assert time.monotonic() < end, f"no {pattern!r} in {self.seen!r}"
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    self.seen += "<end>"
                    time.sleep(0.2)

    def ask(self, line, pattern):
        self.type(line + "\r")
        shown = self.until(pattern)
        shown += self.until(">>> ")
        return shown

    def end(self):
        self.until("<end>")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


talk = Terminal("run", "demo", "--temperature", "0", "--history", history)
talk.until(">>> ")
talk.ask("What is Liftlock?", "air gap")
# Keys of a shell: what was typed comes back, and can be changed.
talk.type("\x1b[A")
talk.until("What is Liftlock")
talk.type("\x01\x0b")
talk.ask("/set temperature 2", "temperature 2")
talk.ask("/set max-tokens 900", "max-tokens 900")
# Ctrl-C stops an answer ...
talk.ask("/clear", "forgotten")
talk.type("Tell me everything.\r")
talk.until("everything")
time.sleep(0.15)
talk.type("\x03")
talk.until(">>> ")
# ... and drops a line, and the program goes on.
talk.type("half a li")
talk.until("half a li")
talk.type("\x03")
talk.until(r"\^C\r\n>>> ")
talk.ask("/set temperature 0", "temperature 0")
talk.ask("/clear", "forgotten")
talk.type('"""What is\r')
talk.until(r"\.\.\. ")
talk.ask('Liftlock?"""', "Liftlock")
talk.ask("/model nosuch", "nosuch")
assert "demo" in talk.ask("/model", "demo")
talk.ask("/sett", "did you mean /set")
talk.ask(f"/save {folder}/talk.json", "wrote")
talk.ask("/record", "01[0-9A-Z]{24}")
talk.type("\x04")
assert talk.end() == 0
assert os.stat(history).st_mode & 0o777 == 0o600 and "half" not in open(history).read(), open(history).read()

# Another talk knows what was typed in the one before.
again = Terminal("run", "demo", "--history", history)
again.until(">>> ")
again.type("\x1b[A")
again.until("/record")
again.type("\x01\x0b/bye\r")
assert again.end() == 0
print("ok: edit, history, Ctrl-C in an answer and at the prompt, several lines, commands, Ctrl-D")
