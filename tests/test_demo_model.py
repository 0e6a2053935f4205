"""Where the embedded model lies, and what its command does without a network."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from evaluators import demo
from srgen import demo_model
from srgen.demo_model import FOLDER, demo_folder


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds the package, as after an installation; the user's cache is `cache`."""
    place = tmp_path / "site-packages"
    place.mkdir()
    monkeypatch.delenv("SRGEN_MODELS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(demo_model, "__file__", str(place / "srgen" / "demo_model.py"))
    return place


def test_an_installed_package_keeps_it_in_the_users_cache(package: Path, tmp_path: Path) -> None:
    assert demo_folder() == tmp_path / "cache" / "srgen" / "models" / FOLDER


def test_a_clone_keeps_it_in_models_unless_it_is_read_only(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package / "pyproject.toml").touch()
    assert demo_folder() == package / "models" / FOLDER
    monkeypatch.setattr(demo_model.os, "access", lambda *_: False)
    assert demo_folder() == tmp_path / "cache" / "srgen" / "models" / FOLDER
    (package / "models" / FOLDER).mkdir(parents=True)
    (package / "models" / FOLDER / "config.json").touch()
    assert demo_folder() == package / "models" / FOLDER


def test_the_environment_names_another_folder(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRGEN_MODELS", "~/somewhere")
    assert demo_folder() == Path.home() / "somewhere" / FOLDER


def test_help_downloads_nothing(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch(_: Path) -> NoReturn:
        raise AssertionError("it downloads")

    monkeypatch.setattr(demo_model, "fetch", fetch)
    monkeypatch.setattr(demo, "fetch", fetch)
    for main in (demo_model.main, demo.main):
        with pytest.raises(SystemExit):
            main(["--help"])
        assert capsys.readouterr().out.startswith("usage: ")
    assert demo.main(["--dry_run"]) == demo.main(["--status"]) == 0


def test_without_the_extra_it_says_how_to_get_it(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert demo_model.main([]) == 2
    assert capsys.readouterr().err == (
        "error: converting the demo model needs the package gguf: "
        "run `pip install -e '.[demo]'` in the project's clone, then the same again\n"
    )


@pytest.mark.model
@pytest.mark.slow
def test_the_demo_ends_with_a_report_whose_path_it_prints(
    demo_model: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "demo.yaml"
    text = demo.STUDY.read_text() + "  eval_samples: 2\n  max_new_tokens: 4\n"
    study.write_text(text.replace("  slot: {}\n", ""))
    monkeypatch.setattr(demo, "STUDY", study)
    monkeypatch.chdir(tmp_path)
    assert demo.main([]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "report: results/studies/demo/report.html"
    assert "<html" in Path(last.removeprefix("report: ")).read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.yaml", "results"]
    shutil.rmtree("results")
