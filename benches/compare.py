"""Our benchmarks beside PyTorch's on one machine in one run: theirs and ours in turns, medians and ratios.

    python benches/compare.py --data imagenet1k-sample256/train
    python benches/compare.py --data imagenet1k-sample256/train --only step --threads 2 --rounds 3 > table.md
    python benches/compare.py --only gpu --features cuda,vulkan --devices cuda,vulkan,wgpu
    python benches/compare.py --only burn --features cuda,vulkan --devices cuda,vulkan,wgpu

Prints Markdown. `--python` is an interpreter that has torch and torchvision (by default the one that runs this file);
ours are built by cargo first. `--data` is a folder of class folders, which only `loader` and `compose` need. `gpu` and `burn`
train on a graphics card, and run only when they are asked for. `burn` times each convolution by our kernel and by burn's, and
writes the rows of the card into the table that decides between them, src/kernel/gpu/convolution/beside-burn.csv.
A ratio above 1 means that ours is faster.
"""
import argparse, csv, json, os, pathlib, statistics, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "benches" / "peers"
NAMES = ["loader", "compose", "augment", "step", "cohort"]
MODELS = ["convnet:32:32", "convnet-d:32:32", "convnet:32:64", "convnet-d:32:64", "convnet:64:64", "resnet18:0:64"]
GPU_MODELS = ["convnet:32:32", "convnet:128:64", "resnet18:0:224"]
BURN_TABLE = ROOT / "src" / "kernel" / "gpu" / "convolution" / "beside-burn.csv"

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--data")
ap.add_argument("--python", default=sys.executable)
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--only", choices=[*NAMES, "gpu", "burn"], action="append")
ap.add_argument("--rounds", type=int, default=3, help="turns; the table has the medians over them")
ap.add_argument("--cohort-steps", type=int, default=600, help="steps of each student of the cohort")
ap.add_argument("--models", help="for step, gpu and burn: architecture:width:pixels, ...")
ap.add_argument("--features", default="", help="for gpu and burn: what else to build in, of cuda, vulkan and metal")
ap.add_argument("--devices", default="wgpu", help="for gpu and burn: ours, with commas")
ap.add_argument("--precisions", default="full,mixed", help="for gpu and burn: ours, with commas")
ap.add_argument("--peer-device", default="cuda", help="for gpu: PyTorch's")
ap.add_argument("--batch", type=int, help="64 for step, 128 for gpu and burn")
a = ap.parse_args()
names = a.only or NAMES
step_batch, gpu_batch = a.batch or 64, a.batch or 128
if a.data is None and {"loader", "compose"} & set(names):
    ap.error("loader and compose need --data, a folder of class folders")
data = a.data and os.path.abspath(a.data)
if data and os.path.isdir(os.path.join(data, "train")):
    data = os.path.join(data, "train")  # the peers know class folders only
threads = str(a.threads)


def build():
    """Paths of the benchmarks' programs, as cargo tells them."""
    commands = []
    if set(names) & set(NAMES):
        commands.append(["bench", "--no-run", *[x for n in ("data", "compose", "augment", "step") for x in ("--bench", n)]])
    if {"gpu", "burn"} & set(names):
        features = ",".join(filter(None, [a.features, "beside-burn" if "burn" in names else ""]))
        commands.append(["build", "--release", "--bin", "tilepress", "--features", features])
    programs = {}
    for command in commands:
        command = ["cargo", *command, "--message-format=json"]
        messages = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
        for m in map(json.loads, messages.splitlines()):
            if m.get("executable") and {"bench", "bin"} & set(m["target"]["kind"]):
                programs[m["target"]["name"]] = m["executable"]
    return programs


def start(command):
    return subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def finish(process):
    output = process.communicate()[0]
    if process.returncode != 0:
        sys.exit(f"{process.args} ended with {process.returncode}")
    return json.loads(output.splitlines()[-1])


def ours(bench, *arguments):
    return finish(start([programs[bench], *arguments, "--json"]))


def peer(name, *arguments):
    return finish(start([a.python, PEERS / f"{name}_peer.py", *arguments]))


class Table:
    """Values gathered over the rounds, by row and column."""

    def __init__(self):
        self.rows = {}

    def add(self, row, column, value):
        self.rows.setdefault(row, {}).setdefault(column, []).append(value)

    def median(self, row, column):
        values = self.rows.get(row, {}).get(column)
        return statistics.median(values) if values else None


def turns(*sides):
    """Ours, theirs, ours, theirs, ..."""
    for k in range(a.rounds):
        for side in sides:
            print(f"round {k + 1} of {a.rounds}: {side.__name__}", file=sys.stderr, flush=True)
            side()


def show(title, head, lines):
    print(f"\n### {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for line in lines:
        print("| " + " | ".join("" if x is None else x if isinstance(x, str) else f"{x:,.2f}" if abs(x) < 100 else f"{x:,.0f}" for x in line) + " |")
    sys.stdout.flush()


def over(x, y):
    return None if x is None or not y else f"{x / y:.2f}"


def loader():
    t = Table()

    def loader_ours():
        for row in ours("data", "--data", data, "--threads", threads, "--rounds", "2")["results"]:
            t.add(row["name"], "ours", row["images_per_second"])

    def loader_peer():
        for name, rate in peer("loader", "--data", data, "--workers", threads, "--repeat", "2")["images_per_second"].items():
            t.add(name, "peer", rate)

    turns(loader_ours, loader_peer)
    bare, cut = t.median("bare decoder", "ours"), t.median("decode, short side 256, centre crop 224", "ours")
    pairs = [("bare decoder", "decode"), ("decode", "decode"), ("decode, short side 256, centre crop 224", None), ("decode, squash to 64", None), ("read, decode, 256, crop 224, to floats", "loader")]
    lines = [(row, x := t.median(row, "ours"), over(x, bare), y := t.median(of, "peer") if of else None, over(x, y)) for row, of in pairs]
    show(f"Loader, images/s, {threads} threads or workers", ["work", "ours", "of the bare decoder", "Pillow + torchvision", "ratio"], lines)
    print(f"\nDecode and resize reach {100 * cut / bare:.0f} % of the bare decoder (target: 85 %).")


def compose():
    t = Table()

    def compose_ours():
        for row in ours("compose", "--data", data, "--threads", f"1,{threads}" if a.threads > 1 else "1", "--rounds", "2")["results"]:
            key = (row["threads"], row["side"])
            t.add(key, row["filter"], row["images_per_second"])
            t.add(key, "bytes", row["bytes_per_png"])

    def compose_peer():
        for processes in sorted({1, a.threads}):
            for side in (224, 64):
                row = peer("compose", "--data", data, "--size", side, "--processes", processes)
                t.add((processes, side), "peer", row["images_per_second"])
                t.add((processes, side), "peer bytes", row["bytes_per_png"])

    turns(compose_ours, compose_peer)
    lines = []
    for n, side in sorted(t.rows, key=lambda key: (-key[1], key[0])):
        get = lambda column: t.median((n, side), column)
        x, y = get("bilinear"), get("peer")
        lines.append((f"{side} px, {n}", x, get("lanczos3"), y, over(x, y), over(x, t.median((1, side), "peer")), f"{get('bytes'):,.0f}", f"{get('peer bytes'):,.0f}"))
    show("Compose 2x2, source images/s", ["side, threads or processes", "ours, bilinear", "ours, Lanczos", "Pillow", "ratio", "ratio to one process", "bytes a PNG", "Pillow's"], lines)


def augment():
    t = Table()

    def augment_ours():
        for row in ours("augment", "--threads", threads, "--policies", "global,extract,shuffle", "--repeat", 3)["results"]:
            t.add((row["side"], row["policy"]), row["layout"], row["images_per_second"])

    def augment_peer():
        for side, ways in peer("augment", "--threads", threads, "--repeat", "1")["images_per_second"].items():
            for way, rate in ways.items():
                t.add(int(side), way, rate)

    turns(augment_ours, augment_peer)
    lines = []
    for key in sorted(k for k in t.rows if isinstance(k, tuple)):
        x, best = t.median(key, "nchw"), max(t.median(key[0], way) for way in ("loader", "threads", "pil"))
        same = key[1] == "global"  # the others have no equal among torchvision's transforms
        lines.append((f"{key[0]} px, {key[1]}", x, t.median(key, "nhwc"), *([t.median(key[0], way) for way in ("loader", "threads", "pil")] + [over(x, best)] if same else [None] * 4)))
    show(f"Augment from u8 in memory, images/s, {threads} threads or workers", ["view", "ours, NCHW", "ours, NHWC", "torch: DataLoader", "torch: in process", "PIL: DataLoader", "ratio to the fastest"], lines)


def step():
    t, models = Table(), (a.models or ",".join(MODELS)).split(",")
    counts = sorted({1, a.threads})
    steps = lambda model: 5 if model.startswith("resnet") else 20

    def step_ours():
        for model in models:
            for row in ours("step", "--models", model, "--batch", step_batch, "--threads", ",".join(map(str, counts)), "--rounds", 1, "--steps", steps(model))["results"]:
                t.add((model, row["what"], row["threads"]), "ours", row["ms"])
                t.add((model, row["what"], row["threads"]), "views", row["views_ms"])
                if row["forward_ms"] is not None:
                    t.add((model, row["what"], row["threads"]), "forward", row["forward_ms"])

    def step_peer():
        for model in models:
            for n in counts:
                for layout, ms in peer("step", "--model", model, "--batch", step_batch, "--threads", n, "--steps", steps(model))["ms"].items():
                    t.add((model, "alone", n), layout, ms)
            if a.threads > 1:  # a cohort: one process on each core, all at once
                command = [a.python, PEERS / "step_peer.py", "--model", model, "--batch", step_batch, "--threads", 1, "--steps", steps(model)]
                results = [finish(process) for process in [start(command) for _ in range(a.threads)]]
                for layout in ("nchw", "channels_last"):
                    ms = statistics.mean(result["ms"][layout] for result in results)
                    t.add((model, "at once", a.threads), layout, ms / a.threads)

    turns(step_ours, step_peer)
    lines = []
    for model in models:
        for what, n in [("alone", n) for n in counts] + ([("at once", a.threads)] if a.threads > 1 else []):
            get = lambda column: t.median((model, what, n), column)
            label = f"{n} thread{'s' if n > 1 else ''}" if what == "alone" else f"{n} students at once"
            x = get("ours")
            lines.append((model, label, x, get("views"), get("forward"), get("nchw"), get("channels_last"), over(get("nchw"), x), over(get("channels_last"), x)))
    show(f"Training step, batch {step_batch}, ms per student step", ["model", "", "ours", "of which views", "of which forward", "PyTorch, NCHW", "PyTorch, channels last", "ratio to NCHW", "ratio to channels last"], lines)
    beside = []
    for model in models:
        twin = model.replace("convnet-d", "convnet")
        for what, n in [key[1:] for key in t.rows if key[0] == model]:
            x, y = t.median((model, what, n), "ours"), t.median((twin, what, n), "ours")
            if twin != model and y:
                beside.append((model, f"{n} threads, {what}", x, y, over(x, y)))
    if beside:
        show(f"ConvNet-D's step beside the ConvNet's, batch {step_batch}, ms", ["model", "", "ConvNet-D", "ConvNet", "times"], beside)


def cohort():
    """Eight students at IPC 10 and 64 px, each on one thread, as many at a time as there are threads."""
    t, students, steps, batch = Table(), 8, a.cohort_steps, 50

    def cohort_ours():
        t.add("s", "ours", ours("step", "--cohort", students, "--steps", steps, "--batch", batch, "--threads", threads)["seconds"])

    def cohort_peer():
        each = ["--model", "convnet:32:64", "--threads", 1, "--steps", steps, "--batch", batch, "--students", students // a.threads]
        processes = [start([a.python, PEERS / "step_peer.py", *each]) for _ in range(a.threads)]
        t.add("s", "peer", max(finish(process)["seconds"] for process in processes))

    turns(cohort_ours, cohort_peer)
    x, y = t.median("s", "ours"), t.median("s", "peer")
    show(f"{students} students of {steps} steps, ConvNet 32 wide, 64 px, batch {batch}, s on {threads} cores", ["ours", "PyTorch, a process on each core", "ratio"], [(x, y, over(y, x))])


def profiles(models, *arguments):
    """`tilepress profile` of every model on every device in both precisions, as far as there are such."""
    refused = set()
    for model in models:
        architecture, width, side = model.split(":")
        for device in a.devices.split(","):
            for precision in a.precisions.split(","):
                if (device, precision) in refused:
                    continue
                shape = ["--model", architecture, "--image-size", side, "--batch", gpu_batch, *(["--width", width] if width != "0" else [])]
                process = start([programs["tilepress"], "profile", "--json", "--device", device, "--precision", precision, *shape, *arguments])
                output = process.communicate()[0]
                if process.returncode == 4:  # no such device, or no matrix units; it has said which
                    refused.add((device, precision))
                    continue
                if process.returncode != 0:
                    sys.exit(f"{process.args} ended with {process.returncode}")
                yield model, device, precision, json.loads(output)


def burn():
    """Every convolution by our kernel and by burn's, on every device of ours, into the table of the repository."""
    t, models = Table(), (a.models or ",".join(GPU_MODELS)).split(",")
    head = ["device", "precision", "model", "batch", "operator", "shape", "ours ms", "burn ms"]

    def burn_and_ours():
        for model, _, precision, row in profiles(models, "--beside-burn"):
            for operator in row["operators"]:
                if operator["burn_ms"] is not None:
                    key = (row["device"], precision, model, str(gpu_batch), operator["operator"], operator["shape"])
                    for column in ("ms", "burn_ms"):
                        t.add(key, column, operator[column] / operator["calls"])

    turns(burn_and_ours)
    measured = [(*key, t.median(key, "ms"), t.median(key, "burn_ms")) for key in t.rows]
    replaced = {row[:4] for row in measured}
    with open(BURN_TABLE, newline="") as file:
        kept = [row for row in list(csv.reader(file))[1:] if tuple(row[:4]) not in replaced]
    new = [[*row[:6], f"{row[6]:.3f}", f"{row[7]:.3f}"] for row in measured]
    temporary = BURN_TABLE.with_suffix(".part")
    with open(temporary, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *sorted(kept + new)])
    os.replace(temporary, BURN_TABLE)
    lines = []
    for group in dict.fromkeys((*row[:4], row[4]) for row in measured):
        rows = [row for row in measured if (*row[:4], row[4]) == group]
        x, y = sum(row[6] for row in rows), sum(row[7] for row in rows)
        faster = ", ".join(row[5] for row in rows if row[7] < row[6])
        lines.append((*group[:3], group[4], x, y, over(y, x), faster))
    show(f"burn's convolutions beside ours, batch {gpu_batch}, ms for one of each shape", [*head[:3], "operator", "ours", "burn's", "ratio", "burn's is faster for"], lines)


def gpu():
    """A step on a graphics card, every device and precision of ours beside every precision of PyTorch's, and how far each is
    from what a large matrix product reaches there."""
    t, models, cards = Table(), (a.models or ",".join(GPU_MODELS)).split(","), {}
    work = {}

    def gpu_ours():
        for model, device, precision, row in profiles(models):
            who = f"ours, {device}, {precision}"
            cards[who] = row["device"]
            work[model] = sum(operator["gflop"] for operator in row["operators"])
            t.add((model, who), "ms", row["train_step_ms"]["median"])

    def gpu_peer():
        for model in models:
            for precision in ("f32", "tf32", "bf16"):
                for compiled in (False, True):
                    arguments = ["--model", model, "--batch", gpu_batch, "--device", a.peer_device, "--precision", precision]
                    result = peer("step", *arguments, *(["--compile"] if compiled else []))
                    for layout, ms in result["ms"].items():
                        who = f"{result['peer']}, {precision}, {layout}, {'compiled' if compiled else 'eager'}"
                        cards[who] = result.get("gpu", a.peer_device)
                        t.add((model, who), "ms", ms)

    turns(gpu_ours, gpu_peer)
    side = 8192 if a.peer_device == "cuda" else 1024
    limits = {p: peer("step", "--ceiling", side, "--device", a.peer_device, "--precision", p)["tflops"] for p in ("f32", "tf32", "bf16")}
    limit = lambda who: limits["bf16" if "bf16" in who or "mixed" in who else "tf32" if "tf32" in who else "f32"]
    for model in models:
        rows = {who: t.median((model, who), "ms") for m, who in t.rows if m == model}
        best = min(ms for who, ms in rows.items() if who.endswith("eager"))
        lines = []
        for who, ms in sorted(rows.items(), key=lambda row: row[1]):
            rate = work[model] / ms if model in work else None
            lines.append((who, cards[who], ms, over(best, ms), rate, rate and f"{100 * rate / limit(who):.0f} %"))
        show(f"{model}, batch {gpu_batch}, ms a step", ["", "card", "ms", "ratio to the best eager", "TFLOP/s", "of a large matrix product there"], lines)
    print("\nA large matrix product reaches " + ", ".join(f"{tflops:,.1f} TFLOP/s in {p}" for p, tflops in limits.items()) + ".")


programs = build()
for name in names:
    {"loader": loader, "compose": compose, "augment": augment, "step": step, "cohort": cohort, "gpu": gpu, "burn": burn}[name]()
