"""``make demo``: four sites, one aggregator, three rounds, an audit. Real parts; synthetic pages.

python -m scripts.demo [--keep] [--data FOLDER] [--folder .demo]
"""

from __future__ import annotations

import argparse
import logging
import shutil
import signal
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

import structlog

from learning.evaluation import Score
from protocol.errors import FederationError
from scripts.demo import clinician
from scripts.demo import network as net
from scripts.demo.pages import DemoData, generated, users_own
from scripts.demo.processes import CommandFailedError, end_commands
from scripts.demo.report import Watcher, last_screen
from scripts.demo.screen import Screen

ROOT = Path(__file__).resolve().parent.parent.parent
WITHDRAWS = net.SITES[0]
KILLED = net.SITES[2]
VICTIM = net.SITES[1]
_MARKER = ".fedrx-demo"
_ROUND_TIMEOUT_SECONDS = 240.0


def main() -> int:
    """Runs the demo; Ctrl-C ends everything that it started."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the network up until Ctrl-C")
    parser.add_argument("--data", type=Path, help="your own pages, or word crops in the layout of rx-bd-78")
    parser.add_argument("--folder", type=Path, default=ROOT / ".demo")
    options = parser.parse_args()
    # The demo's own lines are enough; daemons and commands log to files.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    screen = Screen()
    # A TERM, such as from a closing terminal or a CI job, ends the demo as Ctrl-C does.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    marker = options.folder / _MARKER
    if options.folder.exists() and not marker.exists() and any(options.folder.iterdir()):
        screen.console.print(f"{options.folder} is not an earlier demo's: name another folder", highlight=False)
        return 2
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    marker.touch()
    started: list[net.DemoNetwork] = []
    try:
        run(screen, options.folder, options.data, started, keep=options.keep)
    except KeyboardInterrupt:
        screen.console.print("\nended by Ctrl-C")
        return 130
    except (CommandFailedError, FederationError) as error:
        screen.console.print(f"[red]the demo stopped:[/red] {error}", highlight=False, soft_wrap=True)
        screen.console.print(f"logs are in {options.folder}", highlight=False)
        return 1
    finally:
        for network in started:
            network.stop()
    return 0


def _end(number: int, _frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)
    end_commands()
    raise KeyboardInterrupt


def run(screen: Screen, folder: Path, data_folder: Path | None, started: list[net.DemoNetwork], *, keep: bool) -> None:
    """All steps, in order."""
    screen.console.rule("FedRx: four sites, one aggregator, three rounds")
    fonts = ROOT / "fonts" / "node_modules"
    with ThreadPoolExecutor(1) as pool:
        # Drawn on one core while the other deploys.
        drawn = pool.submit(generated, folder / "pages", fonts) if data_folder is None else None
        with screen.step("chain and private IPFS swarm start"):
            network = net.start_parts(folder)
            started.append(network)
        with screen.step("contract, auditor and aggregator"):
            net.deploy(network)
        with screen.step("prescriptions are written (synthetic)" if data_folder is None else "your data is shared out"):
            data = drawn.result() if drawn else users_own(data_folder or folder, folder / "pages")
    prepare(screen, network, data, fonts)
    answer = net.start_scorekeeper(network, data.test_words, data.lexicon) if data.test_words else None
    rounds(screen, network, data)
    watcher = Watcher(network)
    with screen.step("the auditor replays everything"), ThreadPoolExecutor(1) as pool:
        costs = pool.submit(watcher.costs)
        replay = watcher.replay()
        costs.result()
    scores: list[tuple[str, Score]] = []
    if answer is not None:
        with screen.step("the last readers are compared on test words in hands that no site has"):
            scores = net.wait_for_scores(network, answer, _ROUND_TIMEOUT_SECONDS)
    last_screen(screen, watcher, scores, replay, costs.result(), data, keep=keep)
    if keep:
        threading.Event().wait()


def prepare(screen: Screen, network: net.DemoNetwork, data: DemoData, fonts: Path) -> None:
    """Sites join, read, review and ask for consent while the governor makes round 0; two things at a time."""
    governor = threading.Lock()
    title = "sites join, pages are read and reviewed, consent is recorded; the governor makes round 0"
    with screen.step(title), ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(net.genesis, network, data.lexicon, fonts, data.genesis_fonts)]
        # Short ones first: the two longest at the end leave neither core idle for long.
        joined = {slug: pool.submit(join, screen, network, data, slug, governor) for slug in (*net.SITES, net.HOSTILE)}
        sites = {pool.submit(site_begins, screen, network, data, slug, joined[slug]): slug for slug in net.SITES}
        waiting.append(pool.submit(hostile_begins, network, joined[net.HOSTILE]))
        for done in as_completed([*waiting, *sites]):
            done.result()
            if done in sites and data.truth[sites[done]] is not None:
                # Here and not in the pool: Linux ends a child with the thread that started it (PR_SET_PDEATHSIG).
                network.sites[sites[done]].node.start()
    if None in data.truth.values():
        screen.console.input("You are the clinician: fill in the sheets (accept, fix, reject), then press Enter. ")
        for slug in net.SITES:
            clinician.take_sheet(network, network.sites[slug], network.folder / f"{slug}-review.csv")
            network.sites[slug].node.start()


def join(screen: Screen, network: net.DemoNetwork, data: DemoData, slug: str, governor: threading.Lock) -> None:
    """One site joins and is admitted over the phone."""
    fingerprint = net.join(network, slug, data.lexicon)
    screen.say(f"{slug} reads its fingerprint over the phone: {fingerprint}")
    # One after the other: they are transactions of one account.
    with governor:
        net.admit(network, slug, fingerprint)


def hostile_begins(network: net.DemoNetwork, joined: Future[None]) -> None:
    """The hostile site was admitted like the others, and makes up a patient."""
    joined.result()
    network.run(
        "node", "consent", "grant", "P001", "--witness", net.WITNESS, "--asked-by", net.WITNESS,
        "-c", network.sites[net.HOSTILE].config,
    )  # fmt: skip


def site_begins(screen: Screen, network: net.DemoNetwork, data: DemoData, slug: str, joined: Future[None]) -> None:
    """One site before training, once it has joined."""
    joined.result()
    site, pages = network.sites[slug], data.pages[slug]
    clinician.import_pages(network, site, pages, single_words=data.single_words)
    patients = clinician.grant_consents(network, site, pages)
    truth = data.truth[slug]
    if truth is None:
        sheet = clinician.review_by_user(network, site)
        screen.say(f"{slug}: {patients} patients consent; fill in the columns action and label of {sheet}")
        return
    reviewed = clinician.review(network, site, truth)
    found = reviewed.accepted + reviewed.fixed
    screen.say(
        f"{slug}: {found} of {reviewed.written} medicine words found, {reviewed.accepted} read right, "
        f"{reviewed.fixed} corrected, {reviewed.rejected} rejected; {patients} patients consent"
    )


def rounds(screen: Screen, network: net.DemoNetwork, data: DemoData) -> None:
    """Three rounds, with what goes wrong in a real network."""
    watcher = Watcher(network)
    if network.aggregator is None:
        raise RuntimeError("the aggregator was not made")
    network.aggregator.start()
    hostile = net.hostile(network, VICTIM, 2)
    with screen.step("round 1, with the daemons' start"):
        watcher.wait_for_round(1, _ROUND_TIMEOUT_SECONDS)
    patient = clinician.patients_of(data.pages[WITHDRAWS])[0]
    clinician.withdraw(network, network.sites[WITHDRAWS], patient)
    screen.say(f"{patient} of {WITHDRAWS} withdraws: the site's consent version is void at once")
    with screen.step(f"round 2: {net.HOSTILE} tries to pass off {VICTIM}'s update as its own"):
        watcher.wait_for_round(2, _ROUND_TIMEOUT_SECONDS)
    hostile.stop()
    network.run("governor", "suspend", net.HOSTILE, "-c", network.governor_config)
    screen.say(f"the governor suspends {net.HOSTILE}")
    with screen.step(f"round 3: {KILLED} is killed with -9 while it trains, and starts again"):
        node = network.sites[KILLED].node
        watcher.wait_until(lambda: node.says("round.training", "round=3"), _ROUND_TIMEOUT_SECONDS)
        node.kill()
        time.sleep(1.0)
        node.start()
        watcher.wait_for_round(3, _ROUND_TIMEOUT_SECONDS)
    with screen.step("sites judge the last model on their own held-out words"):
        watcher.wait_until(lambda: watcher.all_adopted(net.ROUNDS), 90.0)


if __name__ == "__main__":
    sys.exit(main())
