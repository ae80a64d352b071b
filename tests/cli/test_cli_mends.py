"""Combinations that cannot work are refused at build, and what the message advises builds."""

from __future__ import annotations

import re
import shlex

import pytest


@pytest.mark.parametrize(
    ("command", "noise"),
    [
        ("vae --noise sphere:dim=8", "gaussian:dim=8"),
        ("vae --noise uniform:dim=12 --generator vae:width=4", "gaussian:dim=12"),
        ("vae --noise de:dim=5,sample=false", "gaussian:dim=5"),
    ],
)
def test_the_mend_of_noise_that_is_not_the_prior_builds(command: str, noise: str, call) -> None:
    said = call("build", *shlex.split(command), "--dry-run").error(2)
    assert "loss 'vae' assumes that noise is standard normal" in said
    mend = re.search(r"use (--noise \S+?)[,.]( |$)", said)
    assert mend is not None
    assert mend[1] == f"--noise {noise}"
    call("build", *shlex.split(re.sub(r"--noise \S+", mend[1], command)), "--dry-run").worked()


@pytest.mark.parametrize(
    ("command", "mend"),
    [
        ("age --noise gaussian:dim=8 --generator age:sphere=false", "--generator age:sphere=true"),
        ("vae --generator age", "--generator vae"),
        ("vae --generator vae:sphere=true", "--generator vae"),
    ],
)
def test_the_mend_of_codes_that_do_not_fit_the_loss_builds(command: str, mend: str, call) -> None:
    said = call("build", *shlex.split(command), "--dry-run").error(2)
    assert f"use {mend}" in said
    call("build", *shlex.split(re.sub(r"--generator \S+", mend, command)), "--dry-run").worked()


@pytest.mark.parametrize(
    ("command", "kind", "mend"),
    [
        ("dcgan --noise de:autoencoder=age", "noise", "use --noise de:autoencoder=vae,"),
        ("dcgan --noise de:dim=32,loss=age", "noise", "use --noise de:dim=32,loss=vae,"),
        ("age --generator age:width=4,sphere=false", "generator", "use --generator age:width=4,sphere=true,"),
        ("wgan-gp --discriminator dcgan:norm=batch,width=4", "discriminator", "dcgan:norm=layer,width=4,"),
        ("vae --generator vae:width=4,sphere=true", "generator", "use --generator vae:width=4,sphere=false,"),
    ],
)
def test_the_mend_of_an_option_keeps_the_others(command: str, kind: str, mend: str, call) -> None:
    said = call("build", *shlex.split(command), "--dry-run").error(2)
    assert mend in said
    part = mend.removesuffix(",").split()[-1]
    call("build", *shlex.split(re.sub(rf"--{kind} \S+", f"--{kind} {part}", command)), "--dry-run").worked()


NARROW = "--generator dcgan:width=4 --discriminator dcgan:width=4"


@pytest.mark.parametrize(
    ("command", "leave"),
    [
        (f"dcgan {NARROW} --without noise", "leave out --without noise."),
        (f"wgan {NARROW} --without loss --loss hidden", "leave out --without loss."),
        (f"dcgan {NARROW} --noise de --set noise.autoencoder=age", "leave out --set noise.autoencoder."),
    ],
)
def test_what_was_left_out_or_set_is_part_of_the_advice(command: str, leave: str, call) -> None:
    assert call("build", *shlex.split(command), "--dry-run").error(2).endswith(leave)
    kept = re.sub(r"--(without|set) \S+", "", command)
    call("build", *shlex.split(kept), "--dry-run").worked()
