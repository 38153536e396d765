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
        compute_weight_VE = weight_VE.to(features_NE.dtype)
        features_gradient_NE = torch.empty_like(features_NE)
        weight_gradient_VE = torch.zeros_like(weight_VE)
        bias_gradient_V = torch.zeros_like(bias_V)
        precise = torch.promote_types(features_NE.dtype, torch.float32)
        loss = features_NE.new_zeros((), dtype=precise)
        negative_log_likelihood = loss.clone()
        for start in range(0, len(targets_N), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            logits_CV = (features_NE[rows] @ compute_weight_VE.T).to(precise).add_(bias_V)
            target_C1 = targets_N[rows].unsqueeze(1)
            normalizer_C1 = logits_CV.logsumexp(1, keepdim=True)
            surprise_C1 = normalizer_C1 - logits_CV.gather(1, target_C1)
            negative_log_likelihood += surprise_C1.sum()
            if smoothing:
                mean_surprise_C1 = normalizer_C1 - logits_CV.mean(1, keepdim=True)
                surprise_C1 = torch.lerp(surprise_C1, mean_surprise_C1, smoothing)
            loss += surprise_C1.sum()
            if with_gradient:
                gradient_CV = logits_CV.sub_(normalizer_C1).exp_()
                if smoothing:
                    gradient_CV.sub_(smoothing / len(bias_V))
                gradient_CV.scatter_add_(1, target_C1, torch.full_like(surprise_C1, smoothing - 1))
                bias_gradient_V += gradient_CV.sum(0)
                narrow_CV = gradient_CV.to(features_NE.dtype)
                features_gradient_NE[rows] = narrow_CV @ compute_weight_VE
                weight_gradient_VE += narrow_CV.T @ features_NE[rows]
        ctx.save_for_backward(features_gradient_NE, weight_gradient_VE, bias_gradient_V)
        ctx.mark_non_differentiable(negative_log_likelihood)
        return loss, negative_log_likelihood

    @staticmethod
    @once_differentiable  # the gradients were made without a history
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        return (*(outer[0] * gradient for gradient in ctx.saved_tensors), None, None, None)


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
    the rest and the sums in float32 (float64 for float64 features).
    """
    # torch declares `apply` without types
    sums: tuple[Tensor, Tensor] = _ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        features_NE, weight_VE, bias_V, targets_N, smoothing, torch.is_grad_enabled()
    )
    return sums
