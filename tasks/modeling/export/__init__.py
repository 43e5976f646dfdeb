"""The model outside of Pedigree: one ONNX graph of backbone and head, and the program that answers by it."""
