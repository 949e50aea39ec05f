"""Train and resume: what `volute.train` and the command line call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from volute import learned, recipes
from volute.data.shards import called, is_shards
from volute.errors import UsageError
from volute.events import Emit, Note, Saved, Verdict, silent
from volute.paths import new_run, run_name
from volute.training import checkpoint
from volute.training.compiled import decided
from volute.training.device import Device, choose
from volute.training.distributed import ALONE, Group, heard_once, join
from volute.training.feed import Feed
from volute.training.joint import joint
from volute.training.loop import DivergedError, Loop
from volute.training.package import package
from volute.training.recipe import Recipe
from volute.training.recompute import recompute
from volute.training.run import Run, RunConfig, budget
from volute.training.treatment import treatment

HOW = ("recompute", "compile")
"""Settings that may change while a run goes on, beside those of its recipe."""
COMMON = ("name", "licence", "precision", "threads", *HOW, "data")


def never() -> bool:
    """Do not stop early."""
    return False


@heard_once
def train(
    kind: str,
    source: str | Path | Sequence[str | Path],
    *,
    preset: str = "auto",
    size: int | None = None,
    time: str | float | None = None,
    kimg: float | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    heal: bool = True,
    settings: dict[str, Any] | None = None,
    emit: Emit = silent,
    stop: Callable[[], bool] = never,
) -> Run:
    """Train a network of `kind` on the pictures in `source`, and export it.

    Args:
        kind: `gan`, `vae`, `classify`, `extractor`, `upscale`, `style` or `lm`.
        source: a folder (subfolders are classes), zip, tar or npz of pictures; `scenes` for
            procedural ones. Tars as a pattern, or by URL, are read as they are learned (see
            `volute.data.shards`). For `style` one painting or several, or a folder of them: what is
            painted comes from the setting `content`, a source as above. For `lm` texts; for
            `classify` also texts: CSV, JSON lines, or a folder of folders of `.txt` files.
        preset: `tiny`, `small`, `base`, `large`, for a GAN also `classic`, for `upscale` `fast`,
            `fine`, `large`; `auto` fits the device.
        size: side of the pictures in px; by default what the data allow, at most 64.
        time: budget such as "30m" or seconds; 30 minutes if neither this nor `kimg` is given.
        kimg: budget in thousands of images shown. Such a run is exactly reproducible.
        out: the run's folder, new or empty; by default the next free one under `runs/`.
        seed: of the weights, the data's order and every draw.
        device: `auto`, `cpu`, `cuda`, `mps`.
        heal: where the doctor says STOP, go back to the last sound state, change the setting that
            is at fault and go on, once.
        settings: what `-s` sets: those of the recipe, the table `data`, `name` and `licence` of the
            model for its card, `precision`, `threads`, `recompute`, `compile`.
        emit: gets an event for everything worth showing.
        stop: asked after every step; true saves the state and returns without exporting.

    Raises:
        UsageError: for a setting, preset or size that cannot be.
        DataError: if the data cannot be used.
        DivergedError: if the doctor says STOP and there is nothing to change, or it was of no help;
            the last sound state is kept.
    """
    group = join()
    emit = emit if group.first else silent
    values = dict(settings or {})
    inputs = [source] if isinstance(source, str | Path) else source
    pictures = recipes.given(kind, inputs, values)
    tile = recipes.kind_of(kind).tile
    common = {key: values.pop(key) for key in COMMON if key in values}
    if tile:
        size = size or tile
        common["data"] = {"crop": "tiles"} | common.get("data", {})
    first = next(iter(recipes.kind_of(kind, values).presets))
    checked = recipes.resolve_settings(kind, first if preset == "auto" else preset, values)
    values = {key: getattr(checked, key) for key in values}
    asked = RunConfig.make(
        {
            "kind": kind,
            "source": learned.lasting(pictures),
            "preset": preset,
            "size": size or 0,
            "seed": seed,
            **budget(time, kimg),
            "device": device,
            **common,
            "settings": values,
        }
    )
    if group.first:
        check_free(out)
    chosen = _chosen(asked, group)
    feed = group.in_turn(lambda: learned.opened(asked, emit))
    for line in feed.lines:
        emit(Note("data", line))
    config = asked.model_copy(
        update={
            "preset": recipes.default_preset(kind, chosen, feed.facts.size)
            if preset == "auto"
            else preset,
            "size": feed.facts.size,
            "device": str(chosen.torch),
            "precision": chosen.precision,
            "threads": chosen.threads if group.size == 1 else asked.threads,
            "hardware": group.say(chosen.say()),
            "data_key": feed.key + recipes.examples_key(kind, values),
        }
    )
    recipe = recipe_of(config, feed, chosen, group)
    recipe.prepare()
    run = Run(_folder(inputs[0], group) if out is None else Path(out))
    if group.first:
        config.write(run.path / "config.toml")
        learned.note(run, config, feed)
    return _go(Loop(run, config, recipe, feed, emit, stop), heal)


@heard_once
def resume(
    path: str | Path,
    *,
    time: str | float | None = None,
    kimg: float | None = None,
    device: str | None = None,
    heal: bool = True,
    accept_data: bool = False,
    settings: dict[str, Any] | None = None,
    emit: Emit = silent,
    stop: Callable[[], bool] = never,
) -> Run:
    """Go on with a run where its last state stands, by its own settings.

    `time` or `kimg` replace the budget, counted from the run's beginning; `device` replaces the
    run's own, for instance to go on elsewhere; `heal` is as for `train`; `settings` replace those
    of the recipe that leave the networks as they are, such as `lr` and `gamma`, `recompute`
    and `compile`.
    `accept_data` goes on with data that have changed since, if their classes are the same.

    Raises:
        UsageError: if there is no run at `path`, or its state does not fit the new settings.
        DataError: if its data are gone or have changed.
    """
    group = join()
    emit = emit if group.first else silent
    run = Run.open(Path(path)) if group.first else Run(Path(path))
    begun = config = _told(run, group)
    if time is not None or kimg is not None:
        config = config.model_copy(update=budget(time, kimg))
    if device is not None:
        config = config.model_copy(update={"device": device, "precision": "auto"})
    settings = dict(settings or {})
    told = {name: settings.pop(name) for name in HOW if name in settings}
    config = RunConfig.make(config.model_dump() | told)
    if settings:
        config = config.model_copy(update={"settings": config.settings | settings})
        before, after = (
            recipes.resolve_settings(c.kind, c.preset, c.settings) for c in (begun, config)
        )
        if getattr(before, "held_out", None) != getattr(after, "held_out", None):
            raise UsageError(
                "held_out cannot change: pictures that were learned from would be measured on",
                "Start a new run with it: volute train ...",
            )
    chosen = _chosen(config, group)
    config = config.model_copy(update={"hardware": group.say(chosen.say())})
    feed = group.in_turn(lambda: learned.opened(config, emit))
    changed = learned.changed(run, config, feed) if group.first else None
    if changed:
        if not accept_data:
            raise changed
        emit(Note("data", changed.what))
        config = config.model_copy(update={"data_key": learned.data_key(config, feed)})
    recipe = recipe_of(config, feed, chosen, group)
    recipe.prepare()
    loop = Loop(run, config, recipe, feed, emit, stop)
    if changed:
        learned.note(run, config, feed)
    return _go(loop, heal)


def _go(loop: Loop, heal: bool) -> Run:
    recipe, config = loop.recipe, loop.config
    parameters = sum(p.numel() for m in recipe.modules.values() for p in m.parameters())
    where = loop.group.say(recipe.device.say())
    about = f"{where} · preset {config.preset} · {parameters:,} parameters"
    loop.emit(Note("device", about))
    loop.emit(Note("budget", _budget(config, loop.counters, loop.feed.unit)))
    loop.config = decided(config, recipe, loop.feed, loop.counters.shown, loop.emit)
    if loop.group.first:
        loop.config.write(loop.run.path / "config.toml")
    finished, loop = _fitted(loop, heal)
    if finished and loop.group.first:
        package(loop, loop.run.model)
        loop.emit(Saved(loop.run.model, "model"))
    return loop.run


def _fitted(loop: Loop, heal: bool) -> tuple[bool, Loop]:
    """Train; where the doctor says STOP, return to the last sound state and try once more."""
    try:
        return loop.fit(), loop
    except DivergedError as error:
        if loop.group.first:
            checkpoint.go_back(loop.run.state)
        change = {} if loop.config.healed or not heal else _treatment(loop, error.verdict)
        if not change:
            raise
        return _fitted(_healed(loop, error, change), heal=False)


def _treatment(loop: Loop, verdict: Verdict) -> dict[str, float | str]:
    usual = recipes.resolve_settings(loop.config.kind, loop.config.preset, {})
    return treatment(loop.recipe, usual, verdict)


def _healed(loop: Loop, error: DivergedError, change: dict[str, float | str]) -> Loop:
    """Return the training as it goes on from its last sound state, with one setting changed."""
    config, run = loop.config, loop.run
    ((name, value),) = change.items()
    before = getattr(loop.recipe.settings, name)
    words = f"{name} {before} -> {value} at {error.counters.shown:,}: {error.verdict.reason}"
    config = config.model_copy(update={"settings": config.settings | change, "healed": words})
    if loop.group.first:
        config.write(run.path / "config.toml")
    recipe = recipe_of(config, loop.feed, loop.recipe.device, loop.group)
    recipe.prepare()
    seconds = error.counters.seconds
    again = Loop(run, config, recipe, loop.feed, loop.emit, loop.stop, seconds)
    back = f"back at {again.counters.shown:,} {loop.feed.unit}" if again.counters.shown else "anew"
    loop.emit(Note("healed", f"{error.verdict.reason} {back}, with {name} {before} -> {value}"))
    return again


def recipe_of(config: RunConfig, feed: Feed, device: Device, group: Group = ALONE) -> Recipe:
    """Return the recipe that a run's configuration describes, its networks new."""
    settings = recipes.resolve_settings(config.kind, config.preset, config.settings)
    recipe = recipes.create(config.kind, settings, feed.facts, device, config.seed)
    recipe.group, recipe.compiling = group, config.compile == "on"
    networks = list(recipe.modules.values())
    for network in networks:
        joint(network, group)
    if config.recompute and not sum(recompute(network) for network in networks):
        what = f"nothing in the networks of {config.kind} can be computed again"
        raise UsageError(what, "Leave -s recompute out, and give a smaller -s batch.")
    if config.compile == "on" and not recipe.compiles:
        what = f"nothing in a step of {config.kind} can be compiled"
        raise UsageError(what, "Leave -s compile out.")
    return recipe


def _chosen(config: RunConfig, group: Group) -> Device:
    """Return where this process works, in the precision of the first."""
    chosen = choose(config.device, config.precision, config.threads, group.machine[1])
    return replace(chosen, precision=group.tell(chosen.precision.encode()).decode())


def _folder(source: str | Path, group: Group) -> Path:
    """Return the next free folder for a run, the same in all processes."""
    shards = is_shards(source)
    name = run_name(Path(called(str(source)) if shards else source))
    path = str(new_run(Path("runs"), name)) if group.first else ""
    return Path(group.tell(path.encode()).decode())


def _told(run: Run, group: Group) -> RunConfig:
    """Return the settings of a run that perhaps only the first process can read."""
    text = run.config.model_dump_json() if group.first else ""
    return RunConfig.model_validate_json(group.tell(text.encode()))


def _budget(config: RunConfig, counters: checkpoint.Counters, unit: str) -> str:
    whole = f"{config.kimg:g} kimg" if config.kimg else f"{config.time_s / 60:g} min"
    change = "--kimg" if config.kimg else "--time"
    done = f" · going on at {counters.shown:,} {unit}" if counters.shown else ""
    return f"{whole} (change: {change}){done}"


def check_free(out: str | Path | None) -> None:
    """Refuse a folder for something new that holds something.

    Raises:
        UsageError: if it does.
    """
    if out is None:
        return
    folder = Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        run = (folder / "config.toml").is_file()
        hint = f", or go on with this run: volute resume {folder}" if run else ""
        raise UsageError(f"{folder} exists and is not empty", f"Choose another -o{hint}")
