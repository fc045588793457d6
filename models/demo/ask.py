#!/usr/bin/env python3
"""Asks a running llama-server the questions of a check file and counts the answers that hold the expected words.

  ask.py --socket SOCKET | --url URL  check_final.txt …      exit status 1 when fewer than --at-least (a share) are good
"""
import argparse
import http.client
import json
import pathlib
import socket
import sys
import urllib.parse


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("engine")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


def ask(connect, messages):
    """The answer at temperature 0."""
    connection = connect()
    body = {"messages": messages, "max_tokens": 120, "temperature": 0}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    answer = json.load(connection.getresponse())
    choice = answer["choices"][0]
    if choice["finish_reason"] != "stop":
        return choice["message"]["content"] + " [did not stop]"
    return choice["message"]["content"]


def good(answer, expected):
    return all(any(word.strip().lower() in answer.lower() for word in each.split("|")) for each in expected.split("&"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket")
    parser.add_argument("--url")
    parser.add_argument("--at-least", type=float, default=0.0)
    parser.add_argument("--quiet", action="store_true", help="print only what fails")
    parser.add_argument("checks", type=pathlib.Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.socket:
        connect = lambda: UnixConnection(arguments.socket)
    else:
        connect = lambda: http.client.HTTPConnection(urllib.parse.urlparse(arguments.url).netloc)
    lines = [line for file in arguments.checks for line in file.read_text().splitlines() if " => " in line and not line.startswith("#")]
    right = 0
    for line in lines:
        question, expected = line.split(" => ")
        answer = ask(connect, [{"role": "user", "content": question}])
        fits = good(answer, expected) and "[did not stop]" not in answer
        right += fits
        if not fits or not arguments.quiet:
            print(f"{'good' if fits else 'BAD '} {question}\n     {answer}")
    print(f"{right} of {len(lines)} answered as expected")
    sys.exit(right < arguments.at_least * len(lines))


if __name__ == "__main__":
    main()
