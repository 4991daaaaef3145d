"""A closed output does not fail a finished run; signals end a run without a trace; ~ is the home of the user."""

import os
import signal
import subprocess
import sys
import time

import pytest

COMMAND = [sys.executable, "-c", "import sys; from djfast.cli.main import main; sys.exit(main())"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "a b c d"}\n')
    (tmp_path / "r.yaml").write_text(
        "dataset_path: in.jsonl\nexport_path: out.jsonl\nprocess:\n- text_length_filter: {min_len: 1}\n"
    )
    return tmp_path


def _shell(folder, redirected):
    line = f'"$@" {redirected}'
    return subprocess.run(["bash", "-c", line, "-", *COMMAND, "run", "r.yaml"], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize(
    "redirected",
    ["2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-", "| true; exit ${PIPESTATUS[0]}", ">/dev/full", "2>/dev/full"],
)
def test_a_finished_run_is_a_success_whoever_reads_its_output(folder, redirected):
    if "/dev/full" in redirected and not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    ended = _shell(folder, redirected)
    assert ended.returncode == 0, ended.stderr
    assert (folder / "out.jsonl").read_text() == '{"text": "a b c d"}\n'
    assert "Exception" not in ended.stderr


def test_a_function_that_closes_the_output_does_not_fail_the_run(folder):
    (folder / "ops.py").write_text(
        "import sys\nimport djfast\n\n@djfast.mapper\ndef shut(row):\n    sys.stdout.close()\n    sys.stderr.close()\n"
        "    return row\n"
    )
    (folder / "r.yaml").write_text(
        "dataset_path: in.jsonl\nexport_path: out.jsonl\ncustom_operator_paths: [ops.py]\nprocess: [shut: {}]\n"
    )
    ended = subprocess.run([*COMMAND, "run", "r.yaml"], cwd=folder, capture_output=True, text=True)
    assert ended.returncode == 0
    assert "1 row in, 1 out" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_a_listing_that_cannot_be_written_fails(folder):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        ended = subprocess.run([*COMMAND, "ops", "list"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1
    assert "the output cannot be written: No space left on device" in ended.stderr


def _signalled(folder, name, *flags, command=COMMAND):
    """Start a run, send it a signal once its code has begun, and return its status, what it said and the seconds it took then."""
    number = getattr(signal, name)
    running = subprocess.Popen(
        [*command, "run", "r.yaml", *flags],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        # Who started the tests may ignore it, as nohup and the background of a shell do, and children would too.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 30
    while not (folder / "begun").exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    sent = time.monotonic()
    running.send_signal(number)
    try:
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
    return running.returncode, said, time.monotonic() - sent


def _slow_recipe(folder, code):
    (folder / "ops.py").write_text(f"import time\nimport djfast\n\n{code}")
    (folder / "in.jsonl").write_text('{"text": "a"}\n' * 40_000)
    (folder / "r.yaml").write_text(
        "dataset_path: in.jsonl\nexport_path: out/out.jsonl\nbatch_bytes: 4096\nnp: 1\n"
        "custom_operator_paths: [ops.py]\nprocess:\n- slow\n"
    )


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGINT"])
def test_signals_end_a_run_and_leave_nothing(folder, name):
    _slow_recipe(
        folder, "@djfast.mapper()\ndef slow(row):\n    open('begun', 'w').close()\n    time.sleep(0.002)\n    return row\n"
    )
    status, said, _ = _signalled(folder, name)
    assert status == 128 + getattr(signal, name), said
    assert "no result was written" in said
    assert [path for path in (folder / "out").rglob("*") if path.is_file() and path.name != "lock"] == []


_IN_ROWS = "@djfast.mapper()\ndef slow(row):\n    open('begun', 'w').close()\n    {}\n    return row\n"
_IN_BATCHES = "@djfast.mapper(over='batches')\ndef slow(rows):\n    open('begun', 'w').close()\n    {}\n    return rows\n"


@pytest.mark.parametrize(
    ("code", "name", "flags"),
    [
        (_IN_ROWS.format("time.sleep(60)"), "SIGTERM", ["--np", "1"]),
        (_IN_ROWS.format("time.sleep(60)"), "SIGINT", ["--np", "3"]),
        (_IN_ROWS.format("while True: pass"), "SIGTERM", ["--np", "2"]),
        (_IN_BATCHES.format("time.sleep(60)"), "SIGTERM", ["--np", "2"]),
        (_IN_ROWS.format("time.sleep(60)"), "SIGINT", ["--np", "2", "--use_checkpoint", "true"]),
    ],
    ids=["sleep", "sleep in threads", "loop", "batch", "job"],
)
def test_a_signal_does_not_wait_for_a_row_that_takes_long(folder, code, name, flags):
    _slow_recipe(folder, code)
    status, said, seconds = _signalled(folder, name, *flags)
    assert status == 128 + getattr(signal, name), said
    assert seconds < 20  # a tenth of a second where the machine is idle
    assert not list(folder.glob("out/out*.jsonl"))


def test_a_job_that_is_asked_to_stop_leaves_a_row_that_takes_long_when_its_time_is_up(folder):
    _slow_recipe(folder, _IN_ROWS.format("time.sleep(60)"))
    soon = "from djfast.runners.job import stopping; stopping.Stopping.__init__.__kwdefaults__['grace'] = 1.0"
    command = [*COMMAND[:2], f"{soon}; {COMMAND[2]}"]
    status, said, seconds = _signalled(folder, "SIGTERM", "--np", "2", "--use_checkpoint", "true", command=command)
    assert status == 85, said
    assert "run the same command again" in said
    assert seconds < 20


def test_a_tilde_is_the_home_of_the_user(folder):
    home = folder / "home"
    home.mkdir()
    (folder / "in.jsonl").rename(home / "in.jsonl")
    (home / "ops.py").write_text("import djfast\n\n@djfast.mapper()\ndef same(row):\n    return row\n")
    paths = ["--dataset_path=~/in.jsonl", "--export_path=~/o/out.jsonl", "--work_dir=~/work", "--custom_operator_paths=~/ops.py"]
    environment = {**os.environ, "HOME": str(home)}
    subprocess.run([*COMMAND, "run", "r.yaml", *paths, "-q"], cwd=folder, env=environment, check=True)
    assert (home / "o" / "out.jsonl").read_text() == '{"text": "a b c d"}\n'
    assert not (folder / "~").exists()
