"""Golden values: what PyTorch and Keras compute, stored small, so that tests can prove agreement without either.

    python benchmarks/golden.py torch -o tests/kernels/golden/     (needs torch, safetensors)
    python benchmarks/golden.py keras -o tests/kernels/golden/     (needs keras, jax)

Run again only to add cases or to follow a new release of a peer: the files are part of the repository, and the
inputs are drawn from fixed seeds. Each file is an ``.npz`` of plain arrays (never pickled); ``peer`` in it says who
computed it. Values are float64 where nothing else is said. Drawn values are exact in float32 too, so a float32 kernel
is tested by casting them, and its error is measured against the float64 results.

Notation: B batch, T time, D inputs, H hidden, L layers, S steps, Q quantiles; ``d`` + name is a gradient.

``torch_lstm_b3_t5_d2_h4_l1_float64.npz`` and the like: nn.LSTM in its own layout, time-major
    ``x`` (T,B,D), ``h0`` and ``c0`` (L,B,H) -> ``h`` (T,B,H) of the top layer, ``h_n`` and ``c_n`` (L,B,H).
    ``weight_ih_l0`` (4H,D), ``weight_hh_l0`` (4H,H), ``bias_ih_l0`` and ``bias_hh_l0`` (4H,), then ``_l1`` ...
    Given gradients ``dh``, ``dh_n``, ``dc_n``; results ``dx``, ``dh0``, ``dc0`` and ``d`` + every weight.
``keras_lstm_b3_t5_d2_h4_l1_float64.npz`` and the like: stacked keras.layers.LSTM in their own layout, batch-major
    ``x`` (B,T,D) -> ``h`` (B,T,H); states as above, stacked over the layers.
    ``kernel_l0`` (D,4H), ``recurrent_kernel_l0`` (H,4H), ``bias_l0`` (4H,). Gradients as above.
``torch_tutorial.safetensors``: the state dict of the classic network, nn.LSTM(1, 50) and nn.Linear(50, 1), float32
    ``lstm.weight_ih_l0`` ... ``fc.weight``, ``fc.bias``.
``torch_tutorial.npz``: that network, float32, on ``x`` (B,T,1) with ``y`` (B,1)
    ``h`` (B,T,50), ``h_n`` and ``c_n`` (1,B,50), ``prediction`` (B,T,1) of every step, ``loss`` = mse_loss of the last
    step's prediction, and its gradients ``dx`` and ``d`` + every weight but the large ``lstm.weight_hh_l0``.
``torch_dense.npz``: one nn.functional.linear and an activation
    ``x`` (B,D), ``weight`` (H,D), ``bias`` (H,), given gradient ``dout`` (B,H); for each of linear, relu, tanh and
    sigmoid the results ``out_relu`` (B,H), ``dx_relu``, ``dweight_relu``, ``dbias_relu``.
``torch_losses.npz``: means over the observed entries, by selection
    ``prediction``, ``target`` (B,T), ``mask`` (B,T) bool, ``quantile_prediction`` (B,T,Q), ``quantiles`` (Q,);
    ``squared``, ``absolute``, ``huber`` (delta 1), ``pinball`` (mean over Q too), each with ``d`` + name, the gradient
    with respect to the prediction; and ``squared_full`` ... ``pinball_full`` with nothing masked.
``torch_optim.npz``: optimisers with global-norm clipping over two tensors, kept as one flat vector (n,)
    ``start`` (n,), ``gradients`` (S,n), ``norms`` (S,) before clipping, ``adam`` and ``adamw`` (S,n) after each step;
    the settings ``learning_rate``, ``beta1``, ``beta2``, ``eps``, ``weight_decay`` (AdamW only), ``max_norm``.
    Schedules: ``cosine_rates`` and ``step_rates`` (11,), the rate of step 0 to 10; their settings
    ``cosine_steps``, ``cosine_end``, ``step_every``, ``step_factor``.
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid")


class Case(NamedTuple):
    """The shape of one LSTM: B, T, D, H, L."""

    batch: int
    time: int
    inputs: int
    hidden: int
    layers: int

    @property
    def name(self) -> str:
        return f"b{self.batch}_t{self.time}_d{self.inputs}_h{self.hidden}_l{self.layers}"


SMALL, DEEP, ODD = Case(3, 5, 2, 4, 1), Case(4, 7, 3, 5, 2), Case(2, 6, 1, 9, 1)
TORCH_CASES = ((SMALL, "float64"), (DEEP, "float64"), (DEEP, "float32"), (ODD, "float64"))
KERAS_CASES = ((SMALL, "float64"), (DEEP, "float64"), (DEEP, "float32"))


def draw(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Array:
    """Uniform numbers in +-``scale`` on a grid of 1/1024: exact in both dtypes, and small once compressed."""
    return np.round(rng.uniform(-scale, scale, shape) * 1024) / 1024


def save(folder: Path, name: str, peer: str, arrays: Mapping[str, Any]) -> None:
    """Store arrays as ``name``.npz, and say how large the file is."""
    path = folder / f"{name}.npz"
    np.savez_compressed(path, peer=np.array(peer), **arrays)
    print(f"{path}  {path.stat().st_size / 1000:.1f} kB")


def lstm_signals(rng: np.random.Generator, case: Case) -> Arrays:
    """Inputs, initial states and upstream gradients of an LSTM, time-major."""
    b, t, d, h, layers = case
    return {
        "x": draw(rng, t, b, d),
        "h0": draw(rng, layers, b, h, scale=0.5),
        "c0": draw(rng, layers, b, h),
        "dh": draw(rng, t, b, h),
        "dh_n": draw(rng, layers, b, h),
        "dc_n": draw(rng, layers, b, h),
    }


# PyTorch


def gradients(tensors: Mapping[str, Any], suffix: str = "") -> Arrays:
    """The gradients that a backward pass left in ``tensors``, under ``d`` + name."""
    return {f"d{name}{suffix}": tensor.grad.numpy() for name, tensor in tensors.items()}


def torch_lstm(case: Case, dtype: str) -> Arrays:
    """One nn.LSTM, forward and backward."""
    import torch

    rng = np.random.default_rng([1, *case])
    module = torch.nn.LSTM(case.inputs, case.hidden, case.layers, dtype=getattr(torch, dtype))
    weights = {name: draw(rng, *tensor.shape, scale=0.7) for name, tensor in module.named_parameters()}
    module.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    given = {name: value.astype(dtype) for name, value in lstm_signals(rng, case).items()}
    start = {name: torch.tensor(given[name], requires_grad=True) for name in ("x", "h0", "c0")}

    h, (h_n, c_n) = module(start["x"], (start["h0"], start["c0"]))
    torch.autograd.backward([h, h_n, c_n], [torch.tensor(given[name]) for name in ("dh", "dh_n", "dc_n")])
    results = {name: value.detach().numpy() for name, value in (("h", h), ("h_n", h_n), ("c_n", c_n))}
    parameters = dict(module.named_parameters())
    stored = {name: value.astype(dtype) for name, value in weights.items()}
    return given | stored | results | gradients(start) | gradients(parameters)


def torch_tutorial(folder: Path, peer: str) -> None:
    """The tutorials' network: LSTM(1, 50), Linear(50, 1), mean squared error of the last step."""
    import torch
    from safetensors.torch import save_file

    rng = np.random.default_rng(2)
    network = torch.nn.ModuleDict(
        {"lstm": torch.nn.LSTM(1, 50, batch_first=True), "fc": torch.nn.Linear(50, 1)},
    )
    drawn = {name: draw(rng, *tensor.shape, scale=50**-0.5) for name, tensor in network.named_parameters()}
    network.load_state_dict({name: torch.tensor(value) for name, value in drawn.items()})
    x = torch.tensor(draw(rng, 2, 6, 1), dtype=torch.float32, requires_grad=True)
    y = torch.tensor(draw(rng, 2, 1), dtype=torch.float32)

    h, (h_n, c_n) = network["lstm"](x)
    prediction = network["fc"](h)
    loss = torch.nn.functional.mse_loss(prediction[:, -1], y)
    loss.backward()
    results = {"h": h, "h_n": h_n, "c_n": c_n, "prediction": prediction, "loss": loss, "x": x, "y": y}
    arrays = {name: value.detach().numpy() for name, value in results.items()}
    parameters = dict(network.named_parameters())
    arrays |= gradients({"x": x}) | gradients(parameters)
    del arrays["dlstm.weight_hh_l0"]  # it would be four times as large as the rest of the file
    save(folder, "torch_tutorial", peer, arrays)
    save_file(network.state_dict(), folder / "torch_tutorial.safetensors", metadata={"peer": peer})


def torch_dense() -> Arrays:
    """A linear layer under each activation."""
    import torch

    rng = np.random.default_rng(3)
    arrays = {"x": draw(rng, 5, 3), "weight": draw(rng, 4, 3), "bias": draw(rng, 4), "dout": draw(rng, 5, 4)}
    for activation in ACTIVATIONS:
        tensors = {name: torch.tensor(arrays[name], requires_grad=True) for name in ("x", "weight", "bias")}
        out = torch.nn.functional.linear(tensors["x"], tensors["weight"], tensors["bias"])
        if activation != "linear":
            out = getattr(torch, activation)(out)
        out.backward(torch.tensor(arrays["dout"]))
        arrays[f"out_{activation}"] = out.detach().numpy()
        arrays |= gradients(tensors, f"_{activation}")
    return arrays


def torch_losses() -> Arrays:
    """Losses and their gradients, over the observed entries and over all."""
    import torch

    rng = np.random.default_rng(4)
    arrays = {
        "prediction": draw(rng, 4, 6, scale=2.0),
        "target": draw(rng, 4, 6, scale=2.0),
        "mask": rng.uniform(size=(4, 6)) < 0.7,
        "quantile_prediction": draw(rng, 4, 6, 3, scale=2.0),
        "quantiles": np.array([0.1, 0.5, 0.9]),
    }
    quantiles = torch.tensor(arrays["quantiles"])
    target = torch.tensor(arrays["target"])

    def pinball(prediction: Any, observed: Any) -> Any:
        error = observed[:, None] - prediction
        return torch.maximum(quantiles * error, (quantiles - 1) * error).mean()

    losses = {
        "squared": torch.nn.functional.mse_loss,
        "absolute": torch.nn.functional.l1_loss,
        "huber": torch.nn.functional.huber_loss,
        "pinball": pinball,
    }
    masks = {"": torch.tensor(arrays["mask"]), "_full": torch.ones(target.shape, dtype=torch.bool)}
    for name, loss in losses.items():
        source = "quantile_prediction" if name == "pinball" else "prediction"
        for suffix, mask in masks.items():
            prediction = torch.tensor(arrays[source], requires_grad=True)
            value = loss(prediction[mask], target[mask])
            value.backward()
            arrays[name + suffix] = value.detach().numpy()
            arrays |= gradients({name + suffix: prediction})
    return arrays


def torch_optim() -> Arrays:
    """Five clipped steps of Adam and AdamW, and the rates of two schedules."""
    import torch

    rng = np.random.default_rng(5)
    settings = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01, "max_norm": 1.0}
    start = draw(rng, 6)
    # From far below the clipping norm to far above it; one entry never has a gradient, another only once.
    steps = draw(rng, 5, 6) * np.array([0.125, 1.0, 4.0, 0.0078125, 512.0])[:, None]
    steps[:, 3] = 0.0
    steps[1:, 4] = 0.0
    arrays: Arrays = {name: np.array(value) for name, value in settings.items()}
    arrays |= {"start": start, "gradients": steps}

    options: dict[str, Any] = {
        "lr": settings["learning_rate"],
        "betas": (settings["beta1"], settings["beta2"]),
        "eps": settings["eps"],
    }
    for name, build in (("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)):
        decay = settings["weight_decay"] if name == "adamw" else 0.0
        parts = [torch.tensor(part, requires_grad=True) for part in (start[:2], start[2:])]
        optimiser = build(parts, weight_decay=decay, **options)
        norms, path = [], []
        for step in steps:
            for part, values in zip(parts, (step[:2], step[2:]), strict=True):
                part.grad = torch.tensor(values)
            norms.append(torch.nn.utils.clip_grad_norm_(parts, settings["max_norm"]).numpy())
            optimiser.step()
            path.append(torch.cat(parts).detach().numpy())
        arrays |= {name: np.stack(path), "norms": np.stack(norms)}
    return arrays | torch_schedules(settings["learning_rate"])


def torch_schedules(learning_rate: float) -> Arrays:
    """The rates of steps 0 to 10 under CosineAnnealingLR and StepLR."""
    import torch

    schedulers = torch.optim.lr_scheduler
    arrays: Arrays = {
        "cosine_steps": np.array(10),
        "cosine_end": np.array(1e-4),
        "step_every": np.array(3),
        "step_factor": np.array(0.5),
    }
    for name, build, options in (
        ("cosine_rates", schedulers.CosineAnnealingLR, {"T_max": 10, "eta_min": 1e-4}),
        ("step_rates", schedulers.StepLR, {"step_size": 3, "gamma": 0.5}),
    ):
        optimiser = torch.optim.SGD([torch.zeros(1)], lr=learning_rate)
        schedule = build(optimiser, **options)
        rates = [schedule.get_last_lr()[0]]
        for _ in range(10):
            optimiser.step()
            schedule.step()
            rates.append(schedule.get_last_lr()[0])
        arrays[name] = np.array(rates)
    return arrays


def write_torch(folder: Path) -> None:
    """Everything that PyTorch is asked for."""
    import torch

    torch.set_num_threads(1)
    peer = f"torch {torch.__version__}"
    for case, dtype in TORCH_CASES:
        save(folder, f"torch_lstm_{case.name}_{dtype}", peer, torch_lstm(case, dtype))
    save(folder, "torch_dense", peer, torch_dense())
    save(folder, "torch_losses", peer, torch_losses())
    save(folder, "torch_optim", peer, torch_optim())
    torch_tutorial(folder, peer)


# Keras, on JAX: the layout of the weights is the same on every backend of Keras.


def keras_lstm(case: Case, dtype: str) -> Arrays:
    """A stack of keras.layers.LSTM, forward and backward."""
    import jax
    import keras

    rng = np.random.default_rng([6, *case])
    options: dict[str, Any] = {"return_sequences": True, "return_state": True, "dtype": dtype}
    if dtype == "float64":
        options["activation"] = jax.numpy.tanh  # keras.ops.tanh rounds its argument to float32 (Keras 3.15)
    layers = [keras.layers.LSTM(case.hidden, **options) for _ in range(case.layers)]
    given = lstm_signals(rng, case)
    given["x"], given["dh"] = given["x"].swapaxes(0, 1), given["dh"].swapaxes(0, 1)
    given = {name: np.ascontiguousarray(value, dtype) for name, value in given.items()}
    weights: Arrays = {}
    for depth, layer in enumerate(layers):
        layer.build((case.batch, case.time, case.hidden if depth else case.inputs))
        for variable in layer.trainable_variables:
            weights[f"{variable.name}_l{depth}"] = draw(rng, *variable.shape, scale=0.7).astype(dtype)

    def forward(weights: Any, x: Any, h0: Any, c0: Any) -> Any:
        h, h_n, c_n = x, [], []
        for depth, layer in enumerate(layers):
            trainable = [weights[f"{variable.name}_l{depth}"] for variable in layer.trainable_variables]
            (h, last_h, last_c), _ = layer.stateless_call(
                trainable, layer.non_trainable_variables, h, initial_state=[h0[depth], c0[depth]]
            )
            h_n.append(last_h)
            c_n.append(last_c)
        return h, jax.numpy.stack(h_n), jax.numpy.stack(c_n)

    results, backward = jax.vjp(forward, weights, given["x"], given["h0"], given["c0"])
    upstream = tuple(jax.numpy.asarray(given[name]) for name in ("dh", "dh_n", "dc_n"))
    dweights, dx, dh0, dc0 = backward(upstream)
    found = dict(zip(("h", "h_n", "c_n", "dx", "dh0", "dc0"), (*results, dx, dh0, dc0), strict=True))
    found |= {f"d{name}": value for name, value in dweights.items()}
    return given | weights | {name: np.asarray(value) for name, value in found.items()}


def write_keras(folder: Path) -> None:
    """Everything that Keras is asked for."""
    os.environ["KERAS_BACKEND"] = "jax"
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    import keras

    peer = f"keras {keras.__version__} on jax {jax.__version__}"
    for case, dtype in KERAS_CASES:
        save(folder, f"keras_lstm_{case.name}_{dtype}", peer, keras_lstm(case, dtype))


def main() -> None:
    """Parse, compute, store."""
    parser = argparse.ArgumentParser(description="Store what PyTorch and Keras compute, for the tests.")
    parser.add_argument("peer", choices=("torch", "keras"))
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the files")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    {"torch": write_torch, "keras": write_keras}[arguments.peer](arguments.output)


if __name__ == "__main__":
    main()
