"""Shells complete commands, options, recipe keys and OPs, as the parsers and declarations have them."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from djfast.cli.main import COMMANDS, main


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_reads_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    assert all(name in text for name in (*COMMANDS, "text_length_filter.min_len", "export_path", "sbatch-arg"))
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    run = subprocess.run([shell, "-n"], input=text, text=True, capture_output=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("djfast do", {"doctor"}),
        ("djfast run --text_length_filter.min_l", {"--text_length_filter.min_len"}),
        ("djfast plan --export_pa", {"--export_path"}),
        ("djfast submit --sbatch", {"--sbatch-arg"}),
        ("djfast submit r.yaml --launcher ", {"mpirun", "srun"}),
        ("djfast ops l", {"list"}),
        ("djfast ops show text_length_f", {"text_length_filter"}),
        ("djfast ops list --kind map", {"mapper"}),
        ("djfast completion ", {"bash", "zsh", "fish"}),
        ("djfast schema --np", set()),
        ("djfast run some_file", set()),  # bash completes files itself
    ],
)
def test_bash_completes(line: str, expected: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    words = shlex.join(line.split(" "))
    asked = f"{script('bash', capsys)}\nCOMP_WORDS=({words})\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n_djfast\n"
    run = subprocess.run(
        ["bash", "--norc"], input=asked + 'printf "%s\\n" "${COMPREPLY[@]}"', text=True, capture_output=True, check=True
    )
    assert (set(run.stdout.split()), run.stderr) == (expected, "")
