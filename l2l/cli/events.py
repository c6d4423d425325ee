"""Event files, from which TensorBoard shows how a meta-training is doing."""

import time
from pathlib import Path

from l2l.errors import L2LError
from l2l.meta_training.state import Training
from l2l.storage import logs


class Events:
    """An event file in the folder. Raises L2LError where TensorBoard, which writes it, is not installed."""

    def __init__(self, folder: Path):
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError:
            raise L2LError("--tensorboard needs TensorBoard: pip install 'l2l[tensorboard]'") from None
        self._events, self._summaries, self._file = event_pb2, summary_pb2, EventFileWriter(str(folder))
        self._shown = None

    def write(self, training: Training) -> None:
        """Add the numbers of the records that are new since the last call. The first call, and one with fewer records
        than before, which is another training's, replace all that TensorBoard shows of this folder."""
        if self._shown is None or len(training.history) < self._shown:
            self._shown = 0
            start = self._events.SessionLog(status=self._events.SessionLog.START)
            self._add(0, session_log=start)
            self._add_numbers(0, training.untrained)
        for record in training.history[self._shown :]:
            self._add_numbers(record["episode"], record)
        self._shown = len(training.history)
        self._file.flush()

    def _add_numbers(self, episode, record):
        value = self._summaries.Summary.Value
        values = [value(tag=name, simple_value=x) for name, x in logs.numbers(record).items() if name != "episode"]
        self._add(episode, summary=self._summaries.Summary(value=values))

    def _add(self, episode, **what):
        self._file.add_event(self._events.Event(wall_time=time.time(), step=episode, **what))
