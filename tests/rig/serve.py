"""Real nginx and the fault server for tests in other languages.

Prints one JSON line {"ca", "www", "web", "fault"} (CA file, folder, two base addresses), then answers one line per
command on standard input, until that is closed:

    sign NAME PLACE SECONDS   a signed address
    kill-web | start-web      nginx goes (kill -9) and comes back on its port
    touch NAME                the file gets another ETag
    headers                   JSON list: header of every request the fault server has seen
"""

import json
import os
import sys
import tempfile
import time

from .fault_server import FaultServer
from .pki import Pki
from .web import Web


def main():
    with tempfile.TemporaryDirectory() as folder:
        pki = Pki(f"{folder}/pki")
        with Web(f"{folder}/web", pki, slow_rate="100k") as web, FaultServer(*pki.server("fault")) as fault:
            say({"ca": str(pki.ca), "www": str(web.www), "web": f"https://127.0.0.1:{web.port}",
                 "fault": f"https://127.0.0.1:{fault.port}"})
            for line in sys.stdin:
                command, *arguments = line.split()
                if command == "sign":
                    name, place, seconds = arguments
                    say(web.sign(name, int(seconds), place))
                elif command == "kill-web":
                    web.kill()
                    say("ok")
                elif command == "start-web":
                    web.start()
                    say("ok")
                elif command == "touch":
                    moment = time.time() + 10
                    os.utime(web.www / arguments[0], (moment, moment))
                    say("ok")
                elif command == "headers":
                    say([headers for _, headers in fault.requests])


def say(value):
    print(value if isinstance(value, str) else json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
