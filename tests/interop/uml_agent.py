#!/usr/bin/python3
"""Runs in the guest as its init: shell texts in, exit status and output out, one line of JSON each."""

import json
import os
import subprocess
import termios
import tty

LINE = "/dev/ttyS0"


def execute(request):
    # A file, not a pipe: background children of the text may keep it open.
    with open("/tmp/output", "w+b") as output:
        process = subprocess.Popen(["/bin/sh", "-ec", request["run"]], stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT)
        try:
            status = process.wait(request["timeout"])
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = 124
        output.seek(0)
        return {"status": status, "output": output.read().decode(errors="replace")}


def power_off():
    with open("/proc/sysrq-trigger", "w", encoding="ascii") as trigger:
        trigger.write("o")


def main():
    line = os.open(LINE, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line, termios.TCSANOW)
    with os.fdopen(line, "r+b", buffering=0) as serial:
        serial.write(b'{"ready": true}\n')
        pending = b""
        while True:
            piece = serial.read(4096)
            if not piece:
                power_off()
                subprocess.call(["sleep", "60"])
            pending += piece
            while b"\n" in pending:
                text, pending = pending.split(b"\n", 1)
                request = json.loads(text)
                if "off" in request:
                    power_off()
                    subprocess.call(["sleep", "60"])
                answer = json.dumps(execute(request)).encode() + b"\n"
                while answer:
                    answer = answer[serial.write(answer):]


main()
