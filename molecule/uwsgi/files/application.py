"""A site that tells what surrounds it and does what it is asked for."""

import ctypes
import json
import locale
import os
import pathlib
import sys
import time
import urllib.parse

RELEASE = pathlib.Path(__file__).parent.name
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)


def describe(_environ):
    """Tell what the tests want to know about the process."""
    return {
        "release": RELEASE,
        "site": os.environ["SITE"],
        "knows_secret": os.environ.get("SECRET") == "correct horse battery staple",
        "quoted": os.environ["QUOTED"],
        "pid": os.getpid(),
        "hash": hash("courier"),
        "encodings": [sys.getfilesystemencoding(), locale.getpreferredencoding(False), sys.stdout.encoding],
        # Code that a C extension makes at run time has to work in the sandbox.
        "callback": CALLBACK(lambda number: number + 1)(1),
    }


def slow(environ):
    """Take as many seconds as the query says."""
    time.sleep(float(environ["QUERY_STRING"]))
    return describe(environ)


def upload(environ):
    """Write the body to the path in the query, as far as the sandbox lets us."""
    path = pathlib.Path(urllib.parse.unquote(environ["QUERY_STRING"]))
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        path.write_bytes(body)
    except OSError as error:
        return {"error": error.strerror}
    return {"size": path.stat().st_size}


def ignore(_environ):
    """Answer without having read the body."""
    return {"ignored": True}


PATHS = {"/-/ready": describe, "/": describe, "/slow": slow, "/upload": upload, "/ignore": ignore}


def application(environ, start_response):
    """Answer one request."""
    path = environ["PATH_INFO"]
    start_response("200 OK" if path in PATHS else "500 Broken", [("Content-Type", "application/json")])
    return [json.dumps(PATHS.get(path, describe)(environ)).encode()]
