"""Output layer and cross-entropy in one, in chunks, so that the whole logits never exist."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqcli.nn.compiled import is_compiled_for

CHUNK_ROWS = 1024  # of the output layer at a time, whose logits are held
SLICE_ROWS = 128  # of these at a time, whose probabilities torch makes: they stay in the cache


class _ChunkedCrossEntropy(torch.autograd.Function):
    """The gradient is made in the forward pass, while a chunk's logits are at hand.

    P is the number of passes over the same rows: 1, or 2 that are to agree.
    """

    @staticmethod
    def forward(
        ctx: Any,
        features_PNE: Tensor,
        weight_VE: Tensor,
        bias_V: Tensor,
        targets_N: Tensor,
        smoothing: float,
        consistency: float,
        with_gradient: bool,
    ) -> tuple[Tensor, Tensor]:
        passes, dtype = len(features_PNE), features_PNE.dtype
        precise = torch.promote_types(dtype, torch.float32)
        compute_weight_VE = weight_VE.to(dtype)
        mean_weight_E, mean_bias = weight_VE.mean(0).to(precise), bias_V.mean().to(precise)
        loss = features_PNE.new_zeros((), dtype=precise)
        negative_log_likelihood = loss.clone()
        if with_gradient:
            features_gradient_PNE = torch.empty_like(features_PNE)
            weight_gradient_VE = torch.zeros_like(weight_VE)
            bias_gradient_V = torch.zeros_like(bias_V)
        chunk_rows = max(1, CHUNK_ROWS // passes)
        room_RV = features_PNE.new_empty(min(chunk_rows, len(targets_N)) * passes, len(weight_VE))
        for start in range(0, len(targets_N), chunk_rows):
            rows = slice(start, start + chunk_rows)
            features_RE = features_PNE[:, rows].flatten(0, 1)
            products_RV = torch.mm(
                features_RE, compute_weight_VE.T, out=room_RV[: len(features_RE)]
            )
            figures, chunk_gradient_V, disagreement = _differentiate(
                products_RV.unflatten(0, (passes, -1)),
                bias_V,
                targets_N[rows],
                smoothing,
                consistency,
            )
            surprise_R = figures.normalizer_R - figures.target_logit_R
            negative_log_likelihood += surprise_R.sum()
            mean_logit_R = features_RE.to(precise) @ mean_weight_E + mean_bias
            loss += torch.lerp(surprise_R, figures.normalizer_R - mean_logit_R, smoothing).sum()
            loss += 0.5 * consistency * disagreement
            if with_gradient:
                gradient_RV = products_RV
                bias_gradient_V += chunk_gradient_V
                chunk_gradient_RE = gradient_RV @ compute_weight_VE
                features_gradient_PNE[:, rows] = chunk_gradient_RE.unflatten(0, (passes, -1))
                weight_gradient_VE += gradient_RV.T @ features_RE
        loss /= passes
        negative_log_likelihood /= passes
        ctx.passes = passes
        ctx.mark_non_differentiable(negative_log_likelihood)
        if with_gradient:  # smoothing takes the same from the gradient of every logit
            share = smoothing / len(bias_V)
            features_gradient_PNE -= smoothing * mean_weight_E
            weight_gradient_VE -= share * features_PNE.sum((0, 1), dtype=precise)
            bias_gradient_V -= share * passes * len(targets_N)
            ctx.save_for_backward(features_gradient_PNE, weight_gradient_VE, bias_gradient_V)
        return loss, negative_log_likelihood

    @staticmethod
    @once_differentiable  # the gradients were made without a history
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        scale = outer[0] / ctx.passes
        return (*(scale * gradient for gradient in ctx.saved_tensors), None, None, None, None)


class _RowFigures(NamedTuple):
    """What a loss is made of, for each row."""

    normalizer_R: Tensor  # logarithm of the sum of exponentials
    target_logit_R: Tensor


def _differentiate(
    products_PRV: Tensor, bias_V: Tensor, targets_R: Tensor, smoothing: float, consistency: float
) -> tuple[_RowFigures, Tensor, Tensor]:
    """Put the gradient of the loss by the logits in place of the products without their bias.

    What smoothing takes from all alike is left to the caller. Returns figures of the rows of one
    pass after those of the other, gradient_V summed over all rows, and the divergences of the
    passes.
    """
    if len(products_PRV) == 1 and is_compiled_for(products_PRV):
        from seqcli.nn.compiled.cross_entropy import differentiate

        figures, gradient_V = differentiate(products_PRV[0], bias_V, targets_R, smoothing - 1)
        return _RowFigures(*figures), gradient_V, gradient_V.new_zeros(())
    return _differentiate_in_slices(products_PRV, bias_V, targets_R, smoothing, consistency)


def _differentiate_in_slices(
    products_PRV: Tensor, bias_V: Tensor, targets_R: Tensor, smoothing: float, consistency: float
) -> tuple[_RowFigures, Tensor, Tensor]:
    passes, num_rows, num_entries = products_PRV.shape
    precise = torch.promote_types(products_PRV.dtype, torch.float32)
    figures_2PR = products_PRV.new_empty(2, passes, num_rows, dtype=precise)
    disagreement = figures_2PR.new_zeros(())
    gradient_V = figures_2PR.new_zeros(num_entries)
    for start in range(0, num_rows, SLICE_ROWS):
        rows = slice(start, start + SLICE_ROWS)
        target_R1 = targets_R[rows].repeat(passes).unsqueeze(1)
        logits_RV = products_PRV[:, rows].flatten(0, 1).to(precise).add_(bias_V)
        target_logit_R1 = logits_RV.gather(1, target_R1)
        probabilities_RV = logits_RV.softmax(1)
        normalizer_R1 = _normalizer(logits_RV, probabilities_RV)
        figures_2PR[:, :, rows] = torch.stack([normalizer_R1, target_logit_R1]).view(2, passes, -1)
        if passes == 2:
            divergence, pull_RV = _disagreement(probabilities_RV, logits_RV - normalizer_R1)
            disagreement += divergence
        off_target_R1 = torch.full_like(normalizer_R1, smoothing - 1)
        gradient_RV = probabilities_RV.scatter_add_(1, target_R1, off_target_R1)
        if passes == 2:
            gradient_RV.add_(pull_RV, alpha=0.5 * consistency)
        gradient_V += gradient_RV.sum(0)
        products_PRV[:, rows] = gradient_RV.unflatten(0, (passes, -1))
    return _RowFigures(*figures_2PR.flatten(1)), gradient_V, disagreement


def _normalizer(logits_RV: Tensor, probabilities_RV: Tensor) -> Tensor:
    """Return normalizer_R1, the logarithm of the sum of exponentials.

    The most probable entry tells it, without a second pass of exponentials.
    """
    return logits_RV.amax(1, keepdim=True) - probabilities_RV.amax(1, keepdim=True).log()


def _disagreement(probabilities_RV: Tensor, log_probabilities_RV: Tensor) -> tuple[Tensor, Tensor]:
    """Sum the divergence of two passes both ways, KL(p, q) + KL(q, p); also its gradient by logits.

    The rows are those of the first pass, then the same ones of the second. The gradient of KL(p, q)
    is p (log p - log q - KL(p, q)) by the logits of p, and q - p by those of q.
    """
    half = len(probabilities_RV) // 2
    difference_RV = log_probabilities_RV - log_probabilities_RV.roll(half, 0)
    divergence_R1 = (probabilities_RV * difference_RV).sum(1, keepdim=True)
    pull_RV = difference_RV.sub_(divergence_R1).mul_(probabilities_RV)
    pull_RV.add_(probabilities_RV).sub_(probabilities_RV.roll(half, 0))
    return divergence_R1.sum(), pull_RV


def output_cross_entropy(
    features_NE: Tensor,
    weight_VE: Tensor,
    bias_V: Tensor,
    targets_N: Tensor,
    *,
    smoothing: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Label-smoothed loss (Szegedy et al., 2016) of `features @ weight.T + bias`.

    Returns two sums over the N rows, in nats: the smoothed loss, which carries the gradient, and
    the negative log-likelihood, which does not. With smoothing s the target distribution is
    1 - s on the target plus s / V on every entry. Matrix products run in the type of `features_NE`,
    or in that of autocast; the rest and the sums in float32 (float64 for float64 features).
    """
    return _cross_entropy(features_NE.unsqueeze(0), weight_VE, bias_V, targets_N, smoothing, 0.0)


def consistent_cross_entropy(
    features_NE: Tensor,
    other_features_NE: Tensor,
    weight_VE: Tensor,
    bias_V: Tensor,
    targets_N: Tensor,
    *,
    smoothing: float = 0.0,
    consistency: float,
) -> tuple[Tensor, Tensor]:
    """The same for two passes over the same rows that dropout makes differ (R-Drop).

    The first sum is half the objective of Liang et al. (2021), whose alpha is `consistency`: the
    mean of both passes' losses, and alpha / 4 times their Kullback-Leibler divergences both ways.
    The second sum is the mean of both passes.
    """
    features_PNE = torch.stack([features_NE, other_features_NE])
    return _cross_entropy(features_PNE, weight_VE, bias_V, targets_N, smoothing, consistency)


def _cross_entropy(
    features_PNE: Tensor,
    weight_VE: Tensor,
    bias_V: Tensor,
    targets_N: Tensor,
    smoothing: float,
    consistency: float,
) -> tuple[Tensor, Tensor]:
    if targets_N.shape != features_PNE.shape[1:2] or targets_N.is_floating_point():
        raise ValueError("each row needs the number of an entry as its target")
    device_type = features_PNE.device.type
    if torch.is_autocast_enabled(device_type) and features_PNE.dtype == torch.float32:
        features_PNE = features_PNE.to(torch.get_autocast_dtype(device_type))
    with torch.autocast(device_type, enabled=False):
        # torch declares `apply` without types
        sums: tuple[Tensor, Tensor] = _ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]
            features_PNE,
            weight_VE,
            bias_V,
            targets_N,
            smoothing,
            consistency,
            torch.is_grad_enabled(),
        )
    return sums
