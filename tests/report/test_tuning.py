"""What a search found, as a table and as a picture."""

from __future__ import annotations

from gantk.report.tuning import Found, Trial, found_figure

TRIALS = [
    Trial("r/a", {"lr": "0.1", "g": "dcgan"}, {"lr": 0.1, "g": "dcgan"}, "finished", 3.0),
    Trial("r/b", {"lr": "0.01", "g": "degan:fc=4"}, {"lr": 0.01, "g": "degan:fc=2..4", "g.fc": 4}, "finished", 2.0),
    Trial("r/c", {"lr": "1e-3", "g": "dcgan"}, {"lr": 1e-3, "g": "dcgan"}, "pruned", 9.0),
    Trial("", {"lr": "0.2", "g": "none"}, {"lr": 0.2, "g": "none"}, "failed", reason="it does not fit"),
]


def found(better: str = "lower", trials: list[Trial] = TRIALS) -> Found:
    return Found("prdc/x", better, trials, {"lr": 0.8, "g": 0.2}, frozenset({"lr"}))


def test_the_best_is_said_out_of_all_that_were_looked_at() -> None:
    lines = str(found()).splitlines()
    assert lines[0].split() == ["RUN", "lr", "g", "prdc/x", "↓"]
    assert [line.split()[0] for line in lines[1:3]] == ["r/b", "r/a"]
    assert "4 trials: 2 finished, 1 pruned, 1 failed" in lines
    assert "pruned because they were worse than the median (gantk train RUN resumes one): r/c" in lines
    assert "failed: lr=0.2, g=none: it does not fit" in lines
    assert lines[-1] == "best of 4 trials, by one random seed: prdc/x 2: r/b"
    more = str(found(trials=[*TRIALS, Trial("r/d", {"lr": "1"}, {"lr": 1.0}, "running")]))
    assert "5 trials: 2 finished, 1 pruned, 1 running, 1 failed" in more
    assert str(found("higher")).splitlines()[-1].endswith(": prdc/x 3: r/a")


def test_ten_are_shown_and_it_is_said() -> None:
    many = [Trial(f"r/{n}", {"lr": str(n)}, {"lr": n}, "finished", n) for n in range(12)]
    text = str(found(trials=many))
    assert "12 trials: 12 finished; these are the best 10" in text
    assert "r/9" in text
    assert "r/10" not in text


def test_each_parameter_has_its_panel() -> None:
    panels = {axes.get_title(): axes for axes in found_figure(found()).axes if axes.get_title()}
    assert list(panels) == ["importance of parameters", "lr", "g", "g.fc"]
    assert panels["importance of parameters"].get_xlabel() == "importance, from 2 finished trials: rough"
    assert panels["lr"].get_xscale() == "log"
    assert [tick.get_text() for tick in panels["g"].get_xticklabels()] == ["dcgan", "degan:fc=2..4"]
    assert [line.get_label() for line in panels["g.fc"].lines] == ["finished", "best"]
