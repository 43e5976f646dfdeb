"""A model as a folder that stands alone: graph, weights, pixel function, test pictures, and a model card."""
