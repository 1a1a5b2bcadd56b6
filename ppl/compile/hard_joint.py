"""model with discrete latents that are drawn -> its log joint, with a coordinate for each element of these: a value."""

from __future__ import annotations

from dataclasses import replace

from ppl.compile.blocks import Block
from ppl.compile.joint import LogJoint, compile_joint
from ppl.model import transforms
from ppl.model.graph import Model
from ppl.rewrite.sum_out import sum_out


def hard_joint(model: Model) -> LogJoint:
    """The coordinates of discrete latents come last; at whole numbers alone the density means anything. Raises
    `ModelError` where the others cannot be summed out.
    """
    joint = compile_joint(model, sum_out(model))
    return replace(joint, blocks=tuple(map(_as_it_is, joint.blocks)))


def _as_it_is(block: Block) -> Block:
    if not block.latent.family.discrete:
        return block
    return replace(block, transform=transforms.IDENTITY, bounds=None, bound_shapes=(), has=(False, False), needs=())
