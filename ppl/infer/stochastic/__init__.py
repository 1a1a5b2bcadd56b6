"""Guides of any shape, trained with fresh draws by stochastic gradients: flows, networks, minibatches."""
