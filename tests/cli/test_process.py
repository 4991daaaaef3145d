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
    assert "1 rows in, 1 out" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_a_listing_that_cannot_be_written_fails(folder):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        ended = subprocess.run([*COMMAND, "ops", "list"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1
    assert "the output cannot be written: No space left on device" in ended.stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGINT"])
def test_signals_end_a_run_and_leave_nothing(folder, name):
    number = getattr(signal, name)
    (folder / "ops.py").write_text(
        "import time\nimport djfast\n\n@djfast.mapper()\ndef slow(row):\n    open('begun', 'w').close()\n    time.sleep(0.002)\n"
        "    return row\n"
    )
    (folder / "in.jsonl").write_text('{"text": "a"}\n' * 40_000)
    (folder / "r.yaml").write_text(
        "dataset_path: in.jsonl\nexport_path: out/out.jsonl\nbatch_bytes: 4096\nnp: 1\n"
        "custom_operator_paths: [ops.py]\nprocess:\n- slow\n"
    )
    running = subprocess.Popen(
        [*COMMAND, "run", "r.yaml"],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        # Who started the tests may ignore it, as nohup and the background of a shell do, and children would too.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 30
    while not (folder / "begun").exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(number)
    try:
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 128 + number, said
    assert "no result was written" in said
    assert [path for path in (folder / "out").rglob("*") if path.is_file() and path.name != "lock"] == []


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
