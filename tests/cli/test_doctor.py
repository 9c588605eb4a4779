"""The doctor on courses in which something is wrong: a finding, never a traceback."""

import shutil
import subprocess

import pytest

from helpers.cli import doctor

SUMS, CONFIG = "data/pocket-gpt2/SHA256SUMS", "data/pocket-gpt2/config.json"


@pytest.fixture
def course(tmp_path, root, monkeypatch):
    """A copy of what the doctor looks at."""
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    monkeypatch.setenv("COURSE_NO_VENV", "1")
    for name in ("data/pocket-gpt2", "data/worlds"):
        shutil.copytree(root / name, tmp_path / name)
    shutil.copy(root / "requirements.txt", tmp_path)
    return tmp_path


def lines(capsys) -> dict[str, str]:
    """Run the doctor; return its findings by name."""
    status, said = doctor.run(None), capsys.readouterr().out.splitlines()
    wrong = [line for line in said if line.startswith("WRONG")]
    assert said[-1] == (f"{len(wrong)} to mend." if wrong else "All is well.")
    assert status == bool(wrong)
    return {line[7:19].strip(): line[:6] + line[19:] for line in said[:-1]}


def test_sums_may_have_blank_lines(course, capsys):
    (course / SUMS).write_text((course / SUMS).read_text().replace("\n", "\n\n"))
    assert lines(capsys)["pocket model"] == "ok     6 files as their checksums say"


@pytest.mark.parametrize(
    ("file", "content", "name", "said"),
    [
        (SUMS, b"", "pocket model", "SHA256SUMS is empty: bring it back with `git"),
        (SUMS, b"\xff", "pocket model", "'utf-8' codec can't decode"),
        (SUMS, None, "pocket model", "[Errno 2] No such file or directory: "),
        (CONFIG, b"{}", "pocket model", "config.json is damaged: bring"),
        (CONFIG, None, "pocket model", "config.json': bring it back with"),
        ("data/worlds/stories.toml", b"a = [", "worlds", "stories.toml is damaged ("),
        ("requirements.txt", None, "packages", "[Errno 2] No such file or dir"),
        ("requirements.txt", b"nope==1.0\n", "packages", "nope is missing (1 in all):"),
        ("requirements.txt", b"pytest==1.0\n", "packages", "tested with 1.0 (1 in all"),
    ],
)
def test_what_is_wrong_is_a_finding(file, content, name, said, course, capsys):
    (course / file).unlink()
    if content is not None:
        (course / file).write_bytes(content)
    finding = lines(capsys)[name]
    assert finding.startswith("WRONG ") and said in finding


def test_package_without_its_files_is_a_finding(course, capsys, monkeypatch):
    about = course / "torch-2.13.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: torch\nVersion: 2.13.0\n")
    (about / "RECORD").write_text("torch/a.py,,\ntorch/b.py,,\ntorch/c.pyc,,\n")
    monkeypatch.setattr(doctor.sys, "path", [str(course)])
    (course / "requirements.txt").write_text("torch==2.13.0\n")
    assert "torch lacks 2 of its files (1 in all)" in lines(capsys)["packages"]


def test_environment_that_will_not_do(course, capsys, monkeypatch):
    monkeypatch.setenv("COURSE_NO_VENV", "")
    found = lines(capsys)
    assert found[".venv"].startswith("WRONG  is not there yet: run `python -m")
    assert "rename" not in found["packages"]
    (course / ".venv").mkdir()
    assert "was not made by this course: first give it" in lines(capsys)[".venv"]
    for stamp in ('{"version": "3.11"}', '{"requirements.txt": "x"}'):
        (course / ".venv" / "course.json").write_text(stamp)
        assert "was cut off, or is for another Python" in lines(capsys)[".venv"]


def test_clone_on_windows_keeps_the_line_ends_that_the_checksums_saw(root, tmp_path):
    shutil.copy(root / ".gitattributes", tmp_path)
    ask = ["git", "check-attr", "text", SUMS, CONFIG, "data/worlds/stories.toml"]
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    said = subprocess.run(ask, cwd=tmp_path, capture_output=True, text=True).stdout
    assert [line.split()[-1] for line in said.splitlines()] == ["unset"] * 3
