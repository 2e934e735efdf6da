"""Two sites on one host, as the balancer and the administrator see them."""

import json
import re
import subprocess
import threading
import time

import pytest
import requests
from load import Load
from waiting import until

testinfra_hosts = ["served"]

STATISTICS = """
import socket
connection = socket.socket(socket.AF_UNIX)
connection.connect("/run/courier/stats")
print(connection.makefile().read())
"""

POST_AND_BE_IGNORED = """
import socket, time
answers = 0
for _ in range(20):
    with socket.create_connection(("127.0.0.1", 8002), timeout=10) as connection:
        connection.sendall(b"POST /ignore HTTP/1.1\\r\\nHost: gazette\\r\\nContent-Length: 500000\\r\\n\\r\\n")
        for _ in range(10):
            time.sleep(0.005)
            connection.sendall(b"x" * 50_000)
        answers += b"200 OK" in connection.recv(1000)
print(answers)
"""

# One request that never ends, and quick ones in the other process, which must not keep it alive.
STUCK = """
(while [ ! -e /tmp/over ]; do curl -s -o /dev/null http://127.0.0.1:8002/; done) &
curl -s -m 30 -o /dev/null -w '%{http_code} %{time_total}' http://127.0.0.1:8002/slow?60
touch /tmp/over; wait; rm /tmp/over
"""


class Balancer(requests.Session):
    """Asks for paths of one server."""

    def __init__(self, url):
        super().__init__()
        self.url = url
        self.trust_env = False

    def request(self, method, path, *args, **kwargs):
        kwargs.setdefault("timeout", 20)
        return super().request(method, self.url + path, *args, **kwargs)


@pytest.fixture(scope="module")
def balancer(inventory):
    return Balancer(f"http://{inventory['ansible_host']}:8001")


@pytest.fixture
def load(balancer):
    """Eight clients at a time, each request on a connection of its own."""
    return Load(lambda: Balancer(balancer.url), {"/": '"release": "good"'}, readers=8)


@pytest.fixture(scope="module")
def statistics(host):
    return lambda: json.loads(host.check_output("python3 -c %s", STATISTICS))


def worker_pids(statistics):
    return {worker["pid"] for worker in statistics["workers"]}


def main_pid(host, unit):
    return int(host.check_output(f"systemctl show --value --property MainPID {unit}"))


def test_site_answers_with_its_release_and_environment(balancer):
    page = balancer.get("/").json()
    assert page["release"] == "good"
    assert page["quoted"] == '50 % "off" \\o/'
    assert page["callback"] == 2


def test_workers_are_as_many_as_asked_for(statistics):
    workers = statistics()["workers"]
    assert len(workers) == 3
    assert all(worker["accepting"] == 1 and len(worker["cores"]) == 2 for worker in workers)


def test_concurrency_is_processes_times_threads(balancer):
    start = time.monotonic()
    threads = [threading.Thread(target=Balancer(balancer.url).get, args=("/slow?1.5",)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start < 2.9


def test_text_is_utf8(balancer):
    assert {encoding.lower() for encoding in balancer.get("/").json()["encodings"]} == {"utf-8"}


def test_sites_are_apart(host, balancer):
    gazette = json.loads(host.check_output("curl -s http://127.0.0.1:8002/"))
    assert gazette["site"] == "gazette"
    assert not gazette["knows_secret"]
    before = main_pid(host, "gazette")
    assert host.run("systemctl restart courier").succeeded
    assert balancer.get("/").json()["site"] == "courier"
    assert main_pid(host, "gazette") == before
    assert host.run("runuser -u gazette -- ls /run/courier").failed


def test_secrets_reach_the_site_and_nobody_else(host, balancer):
    assert balancer.get("/").json()["knows_secret"]
    everybody = "runuser -u gazette -- "
    seen = host.run(everybody + "cat /etc/systemd/system/courier.service /etc/uwsgi/courier.ini /proc/*/cmdline").stdout
    seen += host.run(everybody + "systemctl show courier.service").stdout
    seen += host.run("journalctl -u courier").stdout
    assert "courier" in seen
    assert "battery" not in seen
    assert host.run(f"{everybody}cat /proc/{main_pid(host, 'courier')}/environ").failed


def test_uploads_go_where_they_may_and_nowhere_else(host, balancer):
    body = b"x" * 300_000
    assert balancer.post("/upload?/srv/media/ä.jpg", data=body).json() == {"size": len(body)}
    assert host.file("/srv/media/ä.jpg").user == "courier"
    assert balancer.post("/upload?/srv/closed/b", data=b"b").json() == {"error": "Read-only file system"}
    # A temporary file of the site is nobody else's.
    assert balancer.post("/upload?/tmp/c", data=b"c").json() == {"size": 1}
    assert not host.file("/tmp/c").exists


def test_answer_arrives_when_the_body_was_not_read(host):
    assert host.check_output("python3 -c %s", POST_AND_BE_IGNORED) == "20"


def test_headers_as_large_as_the_balancer_passes_are_taken(balancer):
    assert balancer.get("/", headers={"Cookie": "c" * 15_000}).status_code == 200
    assert balancer.get("/?" + "q" * 14_000).status_code == 200


def test_sandbox_is_tight(host):
    verdict = host.check_output("systemd-analyze security --no-pager courier.service")
    assert float(re.search(r"exposure level for courier.service: ([0-9.]+)", verdict)[1]) <= 3.0


def test_connections_wait_in_a_long_queue(host, inventory):
    (line,) = host.check_output(f"ss -Hltn src {inventory['ansible_host']}:8001").splitlines()
    assert line.split()[2] == "1024"


@pytest.mark.parametrize("verb", ["restart", "reload"])
def test_no_request_fails_while_the_workers_are_replaced(host, balancer, load, statistics, verb):
    before, secret = worker_pids(statistics()), balancer.get("/").json()["hash"]
    with load:
        load.wait_for(30)
        assert host.run(f"systemctl {verb} courier").succeeded
        load.wait_for(60)
        until(lambda: not worker_pids(statistics()) & before)
        load.wait_for(30)
    assert not load.failures, load.report()
    # No two runs put names into their hash tables in the same order.
    assert balancer.get("/").json()["hash"] != secret


def test_request_under_way_is_finished_over_a_restart(host, balancer):
    answers = []
    slow = threading.Thread(target=lambda: answers.append(Balancer(balancer.url).get("/slow?3").json()))
    slow.start()
    time.sleep(0.8)
    assert host.run("systemctl restart courier").succeeded
    slow.join()
    assert answers[0]["release"] == "good"
    assert answers[0]["pid"] != balancer.get("/").json()["pid"]


def test_site_comes_back_when_its_master_is_killed(host, balancer):
    before = main_pid(host, "courier")
    assert host.run(f"kill -9 {before}").succeeded
    assert balancer.get("/").status_code == 200
    until(lambda: main_pid(host, "courier") not in (0, before))


def test_one_stuck_request_is_killed_among_others(host):
    status, seconds = host.run("sh -c %s", STUCK).stdout.split()
    assert status == "000"
    assert 3 < float(seconds) < 12
    assert "HARAKIRI" in host.run("journalctl -u gazette --since -1min").stdout


def test_process_with_all_its_threads_stuck_is_killed(host, balancer, load):
    ends = []

    def get_stuck():
        try:
            balancer.get("/slow?60", timeout=40)
        except requests.ConnectionError:
            ends.append(time.monotonic())

    start = time.monotonic()
    threads = [threading.Thread(target=get_stuck) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 6
    assert max(ends) - start < 15
    assert "HARAKIRI" in host.run("journalctl -u courier --since -1min").stdout
    with load:
        load.wait_for(30)
    assert not load.failures, load.report()


def test_worn_workers_are_replaced_without_a_failure(load, statistics):
    before = worker_pids(statistics())
    with load:
        load.wait_for(500, seconds=90)
    assert not load.failures, load.report()
    # The busiest at least; who gets how much to do, the kernel decides.
    assert before - worker_pids(statistics())


def test_only_failed_and_slow_requests_are_logged(host, balancer):
    balancer.get("/?quick")
    balancer.get("/-/ready?check")
    balancer.get("/slow?1.2")
    assert balancer.get("/broken").status_code == 500
    until(lambda: "/broken" in host.run("journalctl -u courier --since -1min").stdout)
    log = host.run("journalctl -u courier --since -1min --output cat").stdout
    assert re.search(r"^GET /slow\?1.2 -> 200, \d+ bytes in 12\d\d ms for .*release good$", log, re.MULTILINE)
    assert "quick" not in log
    assert "/-/ready" not in log


def test_sites_come_back_after_a_reboot(host, balancer):
    subprocess.run(["podman", "restart", "--time", "2", host.backend.name], check=True, capture_output=True)
    until(lambda: host.run("curl -sf http://127.0.0.1:8002/").succeeded, seconds=60)
    # A restarted container has a new hardware address, which its neighbours learn as soon as it asks for theirs.
    host.run("curl -s --max-time 2 http://$(ip route show default | cut -d ' ' -f 3):9/")
    assert balancer.get("/", timeout=40).json()["release"] == "good"
    assert main_pid(host, "gazette") != 0
