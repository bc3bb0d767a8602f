"""Stands for the package `spaces`: runs a decorated generator in a forked process, as ZeroGPU does.

What goes in and out is pickled, closing the generator stops the work at its next `yield`, and a GPU
may be refused.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator

import gradio as gr

FORK = multiprocessing.get_context("fork")


class FakeGpu:
    """The decorator `GPU`. `asked`: the durations so far. `refuses`: no GPU is lent.
    `aborts`: the other process dies after so many answers."""

    def __init__(self, refuses: bool = False, aborts: int | None = None) -> None:
        self.refuses = refuses
        self.aborts = aborts
        self.asked: list[float] = []

    def __call__(self, duration: Callable[..., float]) -> Callable:
        def decorate(task: Callable[..., Iterator]) -> Callable[..., Iterator]:
            def handler(*args: object) -> Iterator:
                self.asked.append(duration(*args))
                if self.refuses:
                    raise gr.Error("You have exceeded your GPU quota")
                yield from self._elsewhere(task, args)

            return handler

        return decorate

    def _elsewhere(self, task: Callable[..., Iterator], args: tuple) -> Iterator:
        questions, answers, stop = FORK.SimpleQueue(), FORK.SimpleQueue(), FORK.Event()
        worker = FORK.Process(target=self._work, args=(task, questions, answers, stop), daemon=True)
        worker.start()
        questions.put(args)
        try:
            while (answer := answers.get()) is not None:
                if isinstance(answer, str):
                    raise gr.Error(answer)
                yield answer[0]
        finally:
            stop.set()
            worker.join(20)
            assert not worker.is_alive(), "the work went on"

    def _work(self, task: Callable[..., Iterator], questions, answers, stop) -> None:
        os.environ["DEEPLOC_TEST_LENT"] = "1"
        states = task(*questions.get())
        try:
            for number, state in enumerate(states):
                if stop.is_set():
                    states.close()
                    break
                if number == self.aborts:
                    raise RuntimeError
                answers.put((state,))
        except Exception:
            answers.put("GPU task aborted")
        answers.put(None)


GPU = FakeGpu()
