"""Output layer and cross-entropy in one, in chunks, so that the whole logits never exist."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_ROWS = 512  # of the output layer at a time: its logits then stay in the cache


class _ChunkedCrossEntropy(torch.autograd.Function):
    """The gradient is made in the forward pass, while a chunk's logits are at hand."""

    @staticmethod
    def forward(
        ctx: Any,
        features_NE: Tensor,
        weight_VE: Tensor,
        bias_V: Tensor,
        targets_N: Tensor,
        smoothing: float,
        with_gradient: bool,
    ) -> tuple[Tensor, Tensor]:
        dtype, num_entries = features_NE.dtype, len(bias_V)
        precise = torch.promote_types(dtype, torch.float32)
        compute_weight_VE, compute_bias_V = weight_VE.to(dtype), bias_V.to(dtype)
        mean_weight_E, mean_bias = weight_VE.mean(0).to(precise), bias_V.mean().to(precise)
        loss = features_NE.new_zeros((), dtype=precise)
        negative_log_likelihood = loss.clone()
        if with_gradient:
            features_gradient_NE = torch.empty_like(features_NE)
            weight_gradient_VE = torch.zeros_like(weight_VE)
            bias_gradient_V = torch.zeros_like(bias_V)
        for start in range(0, len(targets_N), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            features_CE, target_C1 = features_NE[rows], targets_N[rows].unsqueeze(1)
            logits_CV = torch.addmm(compute_bias_V, features_CE, compute_weight_VE.T)
            probabilities_CV, normalizer_C1 = _softmax(logits_CV, precise)
            surprise_C1 = normalizer_C1 - logits_CV.gather(1, target_C1)
            negative_log_likelihood += surprise_C1.sum()
            mean_logit_C1 = (features_CE.to(precise) @ mean_weight_E + mean_bias).unsqueeze(1)
            loss += torch.lerp(surprise_C1, normalizer_C1 - mean_logit_C1, smoothing).sum()
            if with_gradient:
                off_target_C1 = torch.full_like(surprise_C1, smoothing - 1)
                gradient_CV = probabilities_CV.scatter_add_(1, target_C1, off_target_C1)
                bias_gradient_V += gradient_CV.sum(0)
                narrow_CV = gradient_CV.to(dtype)
                features_gradient_NE[rows] = narrow_CV @ compute_weight_VE
                weight_gradient_VE += narrow_CV.T @ features_CE
        ctx.mark_non_differentiable(negative_log_likelihood)
        if with_gradient:  # smoothing takes the same from the gradient of every logit
            features_gradient_NE -= smoothing * mean_weight_E
            weight_gradient_VE -= smoothing / num_entries * features_NE.sum(0, dtype=precise)
            bias_gradient_V -= smoothing / num_entries * len(targets_N)
            ctx.save_for_backward(features_gradient_NE, weight_gradient_VE, bias_gradient_V)
        return loss, negative_log_likelihood

    @staticmethod
    @once_differentiable  # the gradients were made without a history
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        return (*(outer[0] * gradient for gradient in ctx.saved_tensors), None, None, None)


def _softmax(logits_CV: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return probabilities_CV and, as normalizer_C1, the logarithm of the sum of exponentials.

    The most probable entry tells the latter, without a second pass of exponentials.
    """
    probabilities_CV = logits_CV.softmax(1, dtype=dtype)
    largest_C1 = logits_CV.amax(1, keepdim=True).to(dtype)
    return probabilities_CV, largest_C1 - probabilities_CV.amax(1, keepdim=True).log()


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
    device_type = features_NE.device.type
    if torch.is_autocast_enabled(device_type) and features_NE.dtype == torch.float32:
        features_NE = features_NE.to(torch.get_autocast_dtype(device_type))
    with torch.autocast(device_type, enabled=False):
        # torch declares `apply` without types
        sums: tuple[Tensor, Tensor] = _ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]
            features_NE, weight_VE, bias_V, targets_N, smoothing, torch.is_grad_enabled()
        )
    return sums
