"""What a source holds, what a decoding process may answer, and when uploads start a retraining."""
