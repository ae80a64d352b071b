"""Changes of what was asked for in a build."""

from __future__ import annotations

from typing import Any

from gantk.building.request import Request, is_adversarial

AGE, VAE, HIDDEN, MINIMAX, WGAN_GP = (
    {"plugin": f"gantk:{name}"} for name in ("age", "vae", "hidden", "minimax", "wgan-gp")
)
WIDE = {"plugin": "gantk:dcgan", "width": 8}


def asked(**chosen: Any) -> Request:
    return Request({"generator": {"plugin": "gantk:vae"}, "loss": [MINIMAX, HIDDEN]}, chosen)


def test_a_part_is_replaced_and_a_loss_is_added() -> None:
    assert asked(generator=WIDE).having("generator", VAE).chosen == {"generator": VAE}
    assert asked(generator=WIDE, loss=[VAE]).having("loss", HIDDEN).chosen == {"generator": WIDE, "loss": [VAE, HIDDEN]}
    assert asked().having("loss", HIDDEN).chosen == {"loss": [HIDDEN]}


def test_the_same_loss_is_there_once_and_one_loss_is_adversarial() -> None:
    heavy = {**HIDDEN, "weight": 2.0}
    assert asked(loss=[HIDDEN, VAE]).having("loss", heavy).chosen == {"loss": [VAE, heavy]}
    assert asked(loss=[MINIMAX, HIDDEN]).having("loss", WGAN_GP).chosen == {"loss": [HIDDEN, WGAN_GP]}
    assert asked(loss=[WGAN_GP]).having("loss", HIDDEN).chosen == {"loss": [WGAN_GP, HIDDEN]}
    ours = {"plugin": "gantk:wgan-gp"}
    assert asked(addon=[AGE]).having("addon", ours).chosen == {"addon": [AGE, ours]}


def test_a_part_is_left_out() -> None:
    assert asked(generator=WIDE, loss=[VAE]).less("generator", WIDE).chosen == {"loss": [VAE]}
    assert asked(generator=WIDE, loss=[VAE, AGE]).less("loss", VAE).chosen == {"generator": WIDE, "loss": [AGE]}
    assert asked(generator=WIDE, loss=[VAE]).less("loss", VAE).chosen == {"generator": WIDE}


def test_what_the_user_chose_and_what_the_recipe_has() -> None:
    request = asked(generator=WIDE, loss=[VAE])
    assert [*request.tables()] == [("generator", WIDE), ("loss", VAE)]
    assert request.own("generator", "gantk:dcgan") == WIDE
    assert request.own("generator", "gantk:vae") == {}
    assert request.own("loss", "gantk:dcgan") == {}
    assert request.of_recipe("loss") == [MINIMAX, HIDDEN]
    without = Request(request.lower, {}, ("hidden", "generator", "another recipe's"))
    assert without.of_recipe("loss") == [MINIMAX]
    assert without.of_recipe("generator") == []
    assert request.lower["loss"] == [MINIMAX, HIDDEN]


def test_a_loss_that_cannot_be_found_is_not_adversarial() -> None:
    assert [is_adversarial(loss) for loss in (MINIMAX, HIDDEN, {"plugin": "gantk:nothing"})] == [True, False, False]
