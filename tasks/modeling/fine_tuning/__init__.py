"""Fine-tuning: training the end of a backbone together with its head, on one machine or several."""
