"""A first signal is remembered, a second one ends the process."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from moosnn.interruption import Interruption

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_heeded_where_one_looks(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with Interruption() as interruption:
        interruption.check()
        signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt) as caught:
            interruption.check()
    assert caught.value.args == (number,)
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_it_is_raised_at_once_where_that_does_no_harm() -> None:
    with Interruption() as interruption:
        with pytest.raises(KeyboardInterrupt), interruption.at_once():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), interruption.at_once():
            raise AssertionError("a signal had come before")


def test_a_second_one_ends_the_process() -> None:
    text = (
        "import signal, time\n"
        "from moosnn.interruption import Interruption\n"
        "with Interruption():\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    signal.raise_signal(signal.SIGTERM)\n"  # the same one, by another way
        "    print('still here', flush=True)\n"
        "    time.sleep(0.6)\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    print('never')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (143, "still here\n")


def test_what_is_ignored_stays_ignored() -> None:
    """As by ``nohup``."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            signal.raise_signal(signal.SIGHUP)
            interruption.check()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_another_thread_it_leaves_the_signals_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    found = []

    def enter() -> None:
        with Interruption() as interruption:
            interruption.check()
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [before]
