"""Event files of TensorBoard, by the Python package itself: `pip install tensorboard`.

Without arguments it writes tensorboard.tfevents, with which a test compares ours. With a folder it reads what tilepress wrote
there, as TensorBoard does, and prints it as JSON: {"train/pca-0": {"loss": [[step, value], ...], ...}, ...}.
"""

import json
import os
import sys

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

BEGUN = 1_700_000_000_250


def write(path):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        time = (BEGUN + 16) / 1000
        writer.write(Event(wall_time=time, file_version="brain.Event:2").SerializeToString())
        start = SessionLog(status=SessionLog.START)
        writer.write(Event(wall_time=time, step=16, session_log=start).SerializeToString())
        for step, loss, waiting in [(16, 2.25, None), (300, 0.1, 0.0), (70_000, None, 0.5)]:
            values = [
                ("loss", loss),
                ("learning_rate", 0.001),
                ("epoch", step // 10 + 1),
                ("images_per_second", 1234.5),
                ("waiting", waiting),
            ]
            values = [Summary.Value(tag=tag, simple_value=value) for tag, value in values if value is not None]
            event = Event(wall_time=(BEGUN + step) / 1000, step=step, summary=Summary(value=values))
            writer.write(event.SerializeToString())
        writer.flush()


def read(folder):
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    runs = EventMultiplexer().AddRunsFromDirectory(folder).Reload()
    return {
        run: {tag: [[e.step, e.value] for e in runs.Scalars(run, tag)] for tag in tags["scalars"]}
        for run, tags in sorted(runs.Runs().items())
    }


if len(sys.argv) > 1:
    print(json.dumps(read(sys.argv[1]), indent=1))
else:
    write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "tensorboard.tfevents"))
