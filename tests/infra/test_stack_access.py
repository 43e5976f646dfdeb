"""Who gets into the local stack: whoever started it, by a link or the password, and nobody else."""

import asyncio
import json
import os
import pwd
import stat
import subprocess
import threading
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

import psutil
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from configs.credentials import make_password, prefect_login, read_password
from configs.errors import PedigreeError
from infra import stack
from infra.local_stack import health, processes
from tasks.stores.tracking.client import check_tracking
from tests.browser import log_in, needs_chromium, open_page
from tests.infra.running import Running, address
from tests.servers import free_port

_REFUSED = {401, 403}
_COMMAND = {"job_variables": {"command": "sh -c id", "env": {"PYTHONPATH": "/elsewhere"}}}
_STEPS = {"name": "mine", "entrypoint": "mine.py:mine", "path": "/elsewhere", "pull_steps": [{"x": {"script": "id"}}]}
# What a page of another origin may try, each answered by what it got.
_ATTACK = """async ([prefect, mlflow, deployment]) => {
    const tries = {};
    const body = JSON.stringify({job_variables: {command: "sh -c id"}});
    const start = `${prefect}/api/deployments/${deployment}/create_flow_run`;
    const attempt = async (name, ask) => {
        try { tries[name] = await ask(); } catch (error) { tries[name] = "refused"; }
    };
    const read = (url, more) => fetch(url, more).then(async (answer) => "read " + (await answer.text()).slice(0, 80));
    const list = `${mlflow}/ajax-api/2.0/mlflow/experiments/search?max_results=9`;
    const upload = `${mlflow}/api/2.0/mlflow-artifacts/artifacts/x`;
    const headers = {"Content-Type": "application/json"};
    for (const credentials of ["omit", "include"]) {
        const more = {method: "POST", credentials, body: "{}", headers};
        await attempt(`list ${credentials}`, () => read(`${prefect}/api/deployments/filter`, more));
        await attempt(`start ${credentials}`, () => read(start, {...more, body}));
        await attempt(`look ${credentials}`, () => read(list, {credentials}));
        // Without asking first: no answer to read, but the server would do it all the same.
        const blind = {method: "POST", mode: "no-cors", credentials, body};
        await attempt(`blind ${credentials}`, () => fetch(start, blind).then(() => "answered"));
        await attempt(`put ${credentials}`, () => read(upload, {...more, method: "PUT"}));
    }
    await attempt("socket", () => new Promise((yes) => {
        const socket = new WebSocket(prefect.replace("http", "ws") + "/api/events/in", "prefect");
        socket.onopen = () => yes("open"); socket.onerror = () => yes("refused");
    }));
    await attempt("picture", () => new Promise((yes) => {
        const picture = new Image();
        picture.onload = () => yes("loaded"); picture.onerror = () => yes("refused");
        picture.src = `${mlflow}/static-files/favicon.ico`;
    }));
    return tries;
}"""


@pytest.mark.parametrize("logged_in", [False, True])
def test_nobody_gets_in_without_the_password_or_by_another_door(running: Running, logged_in: bool) -> None:
    """Nobody reads, starts, deploys or uploads without the password, nor with it under a foreign name or page."""
    prefect, mlflow = address(running.status, "Prefect"), address(running.status, "MLflow")
    requests = [
        ("POST", f"{prefect}/api/deployments/filter", {}),
        ("POST", f"{prefect}/api/deployments/{running.nightly.id}/create_flow_run", _COMMAND),
        ("POST", f"{prefect}/api/deployments/", {**_STEPS, "flow_id": str(running.nightly.flow_id)}),
        ("GET", f"{prefect}/api/health", None),
        ("GET", f"{prefect}/", None),
        ("GET", f"{prefect}/docs", None),
        ("POST", f"{prefect}/pedigree/link", {}),
        ("GET", f"{mlflow}/", None),
        ("GET", f"{mlflow}/health", None),
        ("GET", f"{mlflow}/api/2.0/mlflow/experiments/search?max_results=9", None),
        ("PUT", f"{mlflow}/api/2.0/mlflow-artifacts/artifacts/x", {}),
    ]
    before = _by_hand(running), len(running.prefect.read_deployments())
    login = prefect_login(running.home, prefect) if logged_in else {}
    doors = [{"Host": "evil.example.org"}, {"Host": "127.0.0.1"}, {"Origin": "http://127.0.0.1:1"}, {"Origin": "null"}]
    doors += (
        [{"Sec-Fetch-Site": "same-site"}] if logged_in else [{}, {"Authorization": "Basic Og=="}, _basic("x", "wrong")]
    )
    for method, url, body in requests:
        for door in doors:
            assert _status(method, url, body, {**login, **door}) in _REFUSED, (method, url, door)
    assert (_by_hand(running), len(running.prefect.read_deployments())) == before


def test_a_web_socket_opens_to_who_knows_the_password(running: Running) -> None:
    """Prefect's clients say it in a header or in their first message; without it, or from elsewhere, all is closed."""
    url = f"{running.address.replace('http', 'ws')}/api/events/out"
    prefect = [Subprotocol("prefect")]
    valid, evil = _basic("x", running.login.partition(":")[2]), {"Origin": "http://127.0.0.1:1"}
    for refused in ({}, {"subprotocols": prefect, "additional_headers": {**valid, **evil}}):
        with pytest.raises(InvalidStatus, match="403"), connect(url, **refused):  # type: ignore[arg-type]
            pass
    answers = {}
    for word in ("pedigree:wrong", "", running.login):
        with connect(url, subprotocols=prefect) as socket:
            socket.send(json.dumps({"type": "auth", "token": word}))
            try:
                answers[word] = json.loads(socket.recv(timeout=20))["type"]
            except ConnectionClosed:
                answers[word] = "closed"
    assert answers == {"pedigree:wrong": "closed", "": "closed", running.login: "auth_success"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")
def test_another_user_of_the_machine_stays_outside(running: Running) -> None:
    """Another user can ask neither server, and read nothing of the home folder: neither password nor logs nor data."""
    user = pwd.getpwnam("nobody")
    become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
    for name in ("Prefect", "MLflow"):
        ask = [*become, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", address(running.status, name)]
        assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout == "401"  # noqa: S603
    looked = subprocess.run([*become, "ls", str(running.home)], capture_output=True, check=False)  # noqa: S603
    assert looked.returncode != 0


def test_what_lies_in_the_home_folder_is_for_its_owner_alone(running: Running) -> None:
    """The folders of the home let nobody else in, and the servers' files in them can be read by nobody else."""
    for folder in (running.home, running.home / "stack", running.home / "prefect"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    for file in (running.home / "mlflow.db", *(running.home / "stack").glob("*.log"), running.home / "stack/password"):
        assert not stat.S_IMODE(file.stat().st_mode) & 0o077, file


def test_servers_that_an_older_pedigree_started_are_not_taken_for_closed_ones(tmp_path: Path) -> None:
    """Where they run without a password, starting says to stop them first: they let everybody in."""
    sleep = ["sleep", "600"]
    processes.start(tmp_path / "stack" / "prefect.json", sleep, os.environ, "http://127.0.0.1:1")
    try:
        with pytest.raises(PedigreeError, match="open to everybody: stop them by pedigree down"):
            stack.up(tmp_path, None)
    finally:
        stack.down(tmp_path)


def test_the_password_stays_in_its_file(running: Running) -> None:
    """It is in no command line, no log and no record, and a second start keeps it."""
    word = read_password(running.home)
    make_password(running.home)
    assert read_password(running.home) == word
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert [line for line in lines if word in line] == []
    files = [path for path in (running.home / "stack").iterdir() if path.name != "password"]
    assert [path for path in files if word.encode() in path.read_bytes()] == []


def test_a_run_brings_no_command_and_no_variables(running: Running) -> None:
    """Also with the password, whoever starts a run cannot choose what the worker's process executes."""
    login = prefect_login(running.home, running.address)
    older = ProcessWorker.get_default_base_job_template()
    running.prefect.create_work_pool(WorkPoolCreate(name="older", type="process", base_job_template=older))
    running.prefect.update_work_pool("older", WorkPoolUpdate(concurrency_limit=7))
    health.secure_work_pool(running.address, login, "older")
    assert running.prefect.read_work_pool("older").concurrency_limit == 7
    for pool in ("older", "pedigree"):
        template = running.prefect.read_work_pool(pool).base_job_template
        variables: dict[str, object] = {**_COMMAND["job_variables"], "working_dir": "/elsewhere"}
        configuration = asyncio.run(_configuration(running, template, variables))
        assert (configuration.command, configuration.env, configuration.working_dir) == (None, {}, None)


@pytest.mark.usefixtures("running")
def test_a_command_reaches_mlflow_by_its_address_without_a_password_of_its_own(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where tracking.url names the stack's own MLflow every command knows the password; others are not told it."""
    monkeypatch.setenv("PEDIGREE_HOME", str(running.home))
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")
    with pytest.raises(PedigreeError, match="does not answer"):
        check_tracking(f"http://127.0.0.1:{free_port()}")
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == ""
    check_tracking(address(running.status, "MLflow"))
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == read_password(running.home)


@needs_chromium
def test_a_page_of_another_origin_can_neither_read_nor_start(running: Running) -> None:
    """In the very browser that is logged in, a page of another port reads and starts nothing, and is sent no word."""
    prefect, mlflow = address(running.status, "Prefect"), address(running.status, "MLflow")
    before = _by_hand(running)
    with _foreign_page() as (origin, heard), open_page("about:blank") as page:
        log_in(page, stack.make_login_links(running.home))
        page.goto(f"{mlflow}/static-files/favicon.ico")  # a picture that the browser keeps
        page.goto(origin)
        tries = page.evaluate(_ATTACK, [prefect, mlflow, str(running.nightly.id)])
    assert {name: got for name, got in tries.items() if got != "refused"} == {}
    assert _by_hand(running) == before
    assert heard
    assert not [headers for headers in heard if {"authorization", "cookie"} & headers.keys()]


@needs_chromium
def test_the_pages_open_logged_in_and_ask_nobody_else(running: Running) -> None:
    """By the links both servers' pages show their data without typing, and no request leaves for another host."""
    links = stack.make_login_links(running.home)
    prefect, mlflow = address(running.status, "Prefect"), address(running.status, "MLflow")
    expected = {f"{prefect}/deployments": "nightly", f"{prefect}/v2/deployments": "nightly", mlflow: "Default"}
    with open_page("about:blank") as page:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        log_in(page, links)
        for url, words in expected.items():
            page.goto(url)
            page.get_by_text(words).first.wait_for(timeout=60_000)
            elsewhere = page.evaluate("fetch('https://example.org/').then(() => 'asked', () => 'refused')")
            assert elsewhere == "refused"
        hosts = {urlsplit(url).hostname for url in requests}
        assert hosts - {None} == {"127.0.0.1"}
    with open_page(links["prefect"]) as page:
        page.get_by_text("was used already").wait_for(timeout=60_000)


def test_the_servers_of_a_stopped_stack_open_nothing(tmp_path: Path) -> None:
    """Where nothing runs, the command that opens the pages says how to start them."""
    with pytest.raises(PedigreeError, match="pedigree up"):
        stack.make_login_links(tmp_path)
    assert stack.prefect_api(tmp_path) == ""


def _by_hand(running: Running) -> int:
    """Count the runs that no schedule made."""
    return sum(not run.auto_scheduled for run in running.prefect.read_flow_runs())


async def _configuration(
    running: Running, template: dict[str, object], values: dict[str, object]
) -> ProcessJobConfiguration:
    async with PrefectClient(str(running.prefect.api_url), auth_string=running.login) as client:
        return await ProcessJobConfiguration.from_template_and_values(template, values, client=client)


def _basic(name: str, word: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{name}:{word}'.encode()).decode()}"}


def _status(method: str, url: str, body: object, headers: dict[str, str]) -> int:
    data = None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **headers}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, sent, method=method), timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except HTTPError as error:
        return error.code


@contextmanager
def _foreign_page() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Serve a page of another origin on this machine; yield its address and the headers that browsers send there."""
    heard: list[dict[str, str]] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html>hello")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", free_port()), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()
