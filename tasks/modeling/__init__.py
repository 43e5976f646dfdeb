"""All that uses TensorFlow and Keras: backbone, head, fine-tuning, and the package that holds them."""
