"""Output layer and cross-entropy in one, in chunks, so that the whole logits never exist."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_ROWS = 1024  # of the output layer at a time, whose logits are held
SLICE_ROWS = 128  # of these at a time, whose probabilities are: they stay in the cache


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
        compute_weight_VE, compute_bias_V = weight_VE.to(dtype), bias_V.to(dtype)
        mean_weight_E, mean_bias = weight_VE.mean(0).to(precise), bias_V.mean().to(precise)
        loss = features_PNE.new_zeros((), dtype=precise)
        negative_log_likelihood = loss.clone()
        if with_gradient:
            features_gradient_PNE = torch.empty_like(features_PNE)
            weight_gradient_VE = torch.zeros_like(weight_VE)
            bias_gradient_V = torch.zeros_like(bias_V)
        chunk_rows = max(1, CHUNK_ROWS // passes)
        for start in range(0, len(targets_N), chunk_rows):
            rows = slice(start, start + chunk_rows)
            features_RE = features_PNE[:, rows].flatten(0, 1)
            logits_RV = torch.addmm(compute_bias_V, features_RE, compute_weight_VE.T)
            target_R1 = targets_N[rows].repeat(passes).unsqueeze(1)
            target_logit_R1 = logits_RV.gather(1, target_R1)
            normalizer_R1, disagreement, chunk_gradient_V = _differentiate(
                logits_RV.unflatten(0, (passes, -1)), targets_N[rows], smoothing, consistency
            )
            surprise_R1 = normalizer_R1 - target_logit_R1
            negative_log_likelihood += surprise_R1.sum()
            mean_logit_R1 = (features_RE.to(precise) @ mean_weight_E + mean_bias).unsqueeze(1)
            loss += torch.lerp(surprise_R1, normalizer_R1 - mean_logit_R1, smoothing).sum()
            loss += 0.5 * consistency * disagreement
            if with_gradient:
                gradient_RV = logits_RV
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


def _differentiate(
    logits_PRV: Tensor, targets_R: Tensor, smoothing: float, consistency: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Put the gradient of the loss by the logits in their place, but for what smoothing takes.

    Returns the logarithm of the sum of exponentials of each row, those of one pass after those of
    the other, the divergences of the passes, and gradient_V, summed over all rows.
    """
    passes, num_rows, num_entries = logits_PRV.shape
    precise = torch.promote_types(logits_PRV.dtype, torch.float32)
    normalizer_PR = logits_PRV.new_empty(passes, num_rows, dtype=precise)
    disagreement = logits_PRV.new_zeros((), dtype=precise)
    gradient_V = logits_PRV.new_zeros(num_entries, dtype=precise)
    for start in range(0, num_rows, SLICE_ROWS):
        rows = slice(start, start + SLICE_ROWS)
        slice_RV = logits_PRV[:, rows].flatten(0, 1).to(precise)
        probabilities_RV = slice_RV.softmax(1)
        normalizer_R1 = _normalizer(slice_RV, probabilities_RV)
        normalizer_PR[:, rows] = normalizer_R1.view(passes, -1)
        if passes == 2:
            divergence, pull_RV = _disagreement(probabilities_RV, slice_RV - normalizer_R1)
            disagreement += divergence
        target_R1 = targets_R[rows].repeat(passes).unsqueeze(1)
        off_target_R1 = torch.full_like(normalizer_R1, smoothing - 1)
        gradient_RV = probabilities_RV.scatter_add_(1, target_R1, off_target_R1)
        if passes == 2:
            gradient_RV.add_(pull_RV, alpha=0.5 * consistency)
        gradient_V += gradient_RV.sum(0)
        logits_PRV[:, rows] = gradient_RV.unflatten(0, (passes, -1))
    return normalizer_PR.view(-1, 1), disagreement, gradient_V


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
