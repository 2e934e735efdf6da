"""Speak memcached's protocol from one of the lab's hosts."""

import json

TALK = """
import json, socket, sys
address, requests, connections = json.load(sys.stdin)
answers, held = [], []
try:
    for _ in range(connections):
        connection = socket.create_connection((address, 11211), timeout=5)
        held.append(connection)
        answer = b""
        for request in requests:
            connection.sendall(request.encode())
            answer = b""
            while not answer.endswith(b"\\r\\n"):
                piece = connection.recv(65536)
                if not piece:
                    break
                answer += piece
            if answer.startswith(b"STAT"):
                while not answer.endswith(b"END\\r\\n"):
                    answer += connection.recv(65536)
            answers.append(answer.decode())
except OSError as error:
    answers.append(type(error).__name__)
print(json.dumps(answers))
"""

DATAGRAM = """
import json, socket, sys
connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
connection.settimeout(3)
connection.connect((json.load(sys.stdin), 11211))
try:
    connection.send(b"\\0\\1\\0\\0\\0\\1\\0\\0version\\r\\n")
    print(json.dumps(connection.recv(1500).decode("latin-1")))
except OSError as error:
    print(json.dumps(type(error).__name__))
"""


def run(host, script, arguments):
    """Run a Python script on the host with arguments on its standard input."""
    return json.loads(host.check_output("printf %%s %s | python3 -c %s", json.dumps(arguments), script))


def talk(host, address, *requests, connections=1):
    """Return the answers to the requests, sent through each of several connections that stay open together."""
    return run(host, TALK, [address, requests, connections])


def datagram(host, address):
    """Return the answer to a question by UDP, or the name of the error."""
    return run(host, DATAGRAM, address)


def statistics(host, address, what=""):
    """Return memcached's statistics by name."""
    (answer,) = talk(host, address, f"stats {what}".strip() + "\r\n")
    return dict(line.split(" ", 2)[1:] for line in answer.splitlines() if line.startswith("STAT"))
